"""A wrong config is refused in one line with the option, its value and the valid values."""

import re

import pytest

from jaxkd import losses, methods
from jaxkd.common.errors import ConfigError
from jaxkd.methods import TEMPERATURE
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import planning
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.validation import validate

TEMPERATURES = re.escape(str(TEMPERATURE))


@pytest.mark.parametrize(
  ("option", "value", "message"),
  [
    ("rows", (), "one row or more"),
    ("rows", ("isat",), "'isat', must be one of .*did you mean 'isats'"),
    ("rows", ("ats+en",), r"each alone or with '\+ens' behind it; did you mean 'ats\+ens'"),
    ("rows", ("kd", "kd"), "without repetitions"),
    ("title", "../up", "it names a folder"),
    ("optim.milestones", ("a",), "numbers"),
    ("isats.grid", ("a",), "each a number in"),
    ("rows", ("kd+ens",), "a multiple of 2 seeds .* rows that end in '.ens'"),
    ("seeds", (), "one integer or more"),
    ("seeds", (0.5,), "one integer or more"),
    ("seeds", (-1,), r"in \[0, 2\*\*32\)"),
    ("dtype", "float16", "float16', must be 'float32' or 'bfloat16'$"),
    ("data.name", "cifar-100", "did you mean 'cifar100'"),
    ("data.batch_size", 0, "positive multiple of the number of devices, 2"),
    ("data.batch_size", 101, "101, must be a positive multiple .* 2"),
    ("tuned", {"isat": {}}, "did you mean 'isats'"),
    ("tuned", {"ats+ens": {}}, "did you mean 'ats'"),
    ("data.train_share", 0.0, r"in \(0, 1\]"),
    ("data.seed", -1, r"in \[0, 2\*\*32\)"),
    ("teacher.name", "resnt20", "'resnt20', must be one of .*; did you mean 'resnet20'"),
    ("small_teacher.name", "ml", "'ml', must be one of .*; did you mean 'mlp'"),
    ("student.name", "vg8", "'vg8', must be one of .*; did you mean 'vgg8'"),
    ("student.epochs", 0.0, "0.0, must be > 0 for the network 'mlp': without init_from"),
    ("student.epochs", -1.0, "-1.0, must be >= 0"),
    ("student.epochs", float("inf"), "inf, must be >= 0"),
    ("student.learning_rate", float("nan"), "nan, must be > 0"),
    ("teacher.seed", -1, r"\[0, 2\*\*32\)"),
    ("teacher.checkpoint", "/nowhere", "/nowhere is not the folder of a phase"),
    ("teacher.init_from", "/nowhere", "can't read /nowhere: No such file"),
    ("student.init_from", "/nowhere", "can't read /nowhere: No such file"),
    ("student.name", "os:", "network 'os:' must be MODULE:ATTRIBUTE"),
    ("student.name", ":Net", "network ':Net' must be MODULE:ATTRIBUTE"),
    ("student.name", "os:pth", "'pth' is not in os; did you mean 'path'.$"),
    ("optim.momentum", 1.0, r"in \[0, 1\)"),
    ("optim.weight_decay", -1e-4, ">= 0"),
    ("optim.warmup", 1.0, r"in \[0, 1\)"),
    ("optim.milestones", (0.5, 0.5), "ascending"),
    ("optim.milestones", (0.01,), "after the warm-up"),
    ("optim.decay", 0.0, r"in \(0, 1\]"),
    ("optim.name", "adam", "'adam', must be one of sgd, .*; did you mean 'adamw'"),
    ("optim.schedule", "cosin", "'cosin', must be one of step, .*; did you mean 'cosine'"),
    ("optim.beta1", 0.8, "0.8, must be None: 'sgd' has no beta1"),
    ("optim.ema", 1.0, r"in \[0, 1\)"),
    ("optim.label_smoothing", -0.1, r"in \[0, 1\)"),
    ("optim.clip_norm", -1.0, ">= 0"),
    ("optim.accumulate", 0, "> 0"),
    ("optim.accumulate", 3, "a divisor of the 32 examples of a batch on each device"),
    ("optim.batch_norm_groups", 0, "> 0"),
    ("optim.batch_norm_groups", 64, "a divisor of the 64 examples .*, and less"),
    ("optim.batch_norm_groups", 3, "a divisor of the 64 examples that pass through the student"),
    ("data.policy", "randaugmnt", "empty, or one of .*; did you mean 'randaugment'"),
    ("data.policy_magnitude", 5, "must be 9: the policy '' doesn't use it"),
    ("data.erasing", 1.5, r"in \[0, 1\]"),
    ("data.mixup", -1.0, ">= 0"),
    ("data.mixup", 0.2, "0.2, must be 0: the method 'ats' needs the class of each image"),
    ("data.cutmix", 0.2, "0.2, must be 0: the method 'ats' needs the class of each image"),
    ("kd.lam", 1.5, r"1.5, must be a number in \[0, 1\]"),
    ("kd.tau", 0.0, rf"0.0, must be a number {TEMPERATURES}"),
    ("kd.student_tau", -1.0, rf"-1.0, must be a number {TEMPERATURES}"),
    ("student_tau", 0.0, "must be in"),
    ("kd.weight", -1.0, "-1.0, must be a number >= 0"),
    ("ats.tau1", -4.0, rf"-4.0, must be a number {TEMPERATURES}"),
    ("ats.lam", -0.1, r"in \[0, 1\]"),
    ("isats.grid", (), rf"one or more values, each a number {TEMPERATURES}"),
    ("isats.grid", (1.0, 0.0), rf"one or more values, each a number {TEMPERATURES}"),
    ("isats.gap", -1.0, ">= 0"),
    ("fgcr.alpha", 2.0, r"in \[0, 1\]"),
    ("fgcr.tau", 1.0, r"must be a number in \(1, "),
    ("regt.beta", -0.01, ">= 0"),
    ("dist.gamma", -1.0, ">= 0"),
    ("sckd.per", "epoch", "one of step, batch, sample"),
    ("crd.negatives", 0, "0, must be an integer > 0"),
    ("crd.tau", 0.0, rf"0.0, must be a number {TEMPERATURES}"),
    ("crd.weight", -0.8, "-0.8, must be a number >= 0"),
    ("multi.contrast", float("nan"), "nan, must be a number >= 0"),
    ("eskd.teacher_epochs", 1.5, r"in \(0, 1\]"),
    ("eskd.teacher_schedule", "short", "one of squeezed, full"),
    ("run.eval_every_epochs", 0.0, "> 0"),
    ("run.checkpoint_every_steps", 0, "> 0"),
    ("run.keep_checkpoints", 0, "> 0"),
    ("run.steps_per_dispatch", -1, ">= 0"),
    ("run.workers", -1, ">= 0"),
  ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_option(tiny_config, option, value, message):
  section, _, key = option.rpartition(".")
  target = tiny_config[section] if section else tiny_config
  target[key] = value
  with pytest.raises(ConfigError, match=message) as caught:
    validate(tiny_config)
  named = "seeds" if value == ("kd+ens",) else option
  assert str(caught.value).startswith(f"config.{named}")
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("option", "value", "message"),
  [
    ("takd.assistants", ("resnet200",), "'resnet200', must be one of .*; did you mean 'resnet20"),
    ("takd.init_from", ("a", "b"), "1 files, one for each of mlp"),
    ("multi.networks", ("vg8", "teacher"), "'vg8', must be one of .*; did you mean 'vgg8'"),
    ("multi.weights", (1.0,), "must be 2 numbers > 0, one for each of config.multi.networks"),
    ("multi.init_from", ("a",), "2 files, one for each of teacher, small_teacher"),
    ("reskd.network", "vg8", "'vg8', must be one of .*; did you mean 'vgg8'"),
    ("reskd.init_from", "nowhere", "can't read nowhere"),
  ],
)
def test_a_wrong_network_of_a_row_is_refused(tiny_config, option, value, message):
  row, key = option.split(".")
  tiny_config[row][key] = value
  tiny_config.rows = (row,)
  with pytest.raises(ConfigError, match=message) as caught:
    validate(tiny_config)
  assert str(caught.value).startswith(f"config.{row}")
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("name", "options", "message"),
  [("mlp", {"widht": 3}, "did you mean 'width'"), ("alexnet", {}, "'alexnet' on digits: .*pixels")],
)
def test_a_network_that_cannot_be_built_is_refused(tiny_config, name, options, message):
  tiny_config.student.name, tiny_config.student.options = name, options
  with pytest.raises(ConfigError, match=message):
    validate(tiny_config)


@pytest.mark.parametrize(
  ("assistants", "message"),
  [
    (("resnet8",), "no larger than the one .*: resnet8 has 77,754 .*, its teacher has 3,466$"),
    (("mlp", "vgg8"), "vgg8 has .* parameters, its teacher has 3,466$"),
    ((), "one network or more"),
  ],
)
def test_missing_and_too_large_assistants_are_refused(assistants, message, tiny_config):
  tiny_config.takd.assistants = assistants
  validate(tiny_config)
  tiny_config.rows = ("takd",)
  with pytest.raises(ConfigError, match=rf"^config.takd.assistants is .*{message}"):
    validate(tiny_config)


@pytest.mark.parametrize(
  ("row", "message"),
  [
    ("eskd", "empty for a row that trains the teacher for fewer epochs"),
    ("eskd+ens", "empty for a row that trains the teacher for fewer epochs"),
    ("regt", "empty for regt, which trains its own teacher"),
    ("multi", "empty, since none of the rows multi uses it"),
    ("stkd", "empty, since none of the rows stkd uses it"),
  ],
)
def test_a_given_teacher_that_a_row_does_not_use_is_refused(row, message, tiny_config, tmp_path):
  folder = PhaseFolder.of(tmp_path, planning.teacher(tiny_config))
  folder.create()
  folder.finish({})
  tiny_config.rows, tiny_config.seeds = (row,), (0, 1)
  tiny_config.multi.networks = ("resnet14", "resnet8")
  validate(tiny_config)
  tiny_config.teacher.checkpoint = str(folder.path)
  with pytest.raises(ConfigError, match=f"^config.teacher.checkpoint is .*{message}$"):
    validate(tiny_config)


def test_a_given_teacher_can_be_one_of_several(tiny_config, tmp_path):
  tiny_config.teacher.epochs = 0.1
  given = planning.teacher(tiny_config)
  folder = PhaseFolder.of(tmp_path, given)
  folder.create()
  folder.finish({})
  tiny_config.teacher.checkpoint = str(folder.path)
  tiny_config.teacher.epochs = 99.0
  tiny_config.rows = ("multi",)
  validate(tiny_config)
  assert planning.student(tiny_config, "multi", 0).teachers[0] == given


def test_an_own_method_that_fails_is_one_line(tiny_config):
  @methods.register("failing")
  class Failing(methods.Method):
    def loss(self, view):
      return undefined(view)  # noqa: F821

  tiny_config.rows = ("failing",)
  try:
    message = r"^method 'failing' with student 'mlp': .*test_validation\.py, line \d+: NameError: "
    with pytest.raises(ConfigError, match=message) as caught:
      validate(tiny_config)
  finally:
    methods.unregister("failing")
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("row", "option", "value", "message"),
  [
    ("sckd", "optim.accumulate", 2, "must be 1: the method 'sckd' compares gradients of whole"),
    ("regt", "data.mixup", 0.2, "must be 0: the method 'regt' needs the class"),
    ("crd+kd", "data.cutmix", 0.2, "must be 0: the method 'crd.kd' needs the class"),
    ("own", "optim.label_smoothing", 0.1, "'own' does not take its labels by View.cross_entropy"),
    ("own+kd", "optim.label_smoothing", 0.1, "'own' does not take its labels by View.cross"),
    ("own", "data.mixup", 0.1, "the method 'own' needs the class"),
  ],
)
def test_options_that_a_method_does_not_take_are_refused(tiny_config, row, option, value, message):
  @methods.register("own")
  class Own(methods.Method):
    def loss(self, view):
      return {"own": losses.cross_entropy(view.student.logits, view.labels)}, {}

  section, key = option.split(".")
  tiny_config.rows, tiny_config[section][key] = (row,), value
  try:
    with pytest.raises(ConfigError, match=rf"^config\.{option} is {value}, .*{message}"):
      validate(tiny_config)
  finally:
    methods.unregister("own")


def test_an_optimiser_refuses_the_momentum_of_another(tiny_config):
  tiny_config.optim.name, tiny_config.optim.momentum = "adamw", 0.8
  with pytest.raises(ConfigError, match=r"optim.momentum is 0.8, must be 0.9: 'adamw' doesn't"):
    validate(tiny_config)


def test_a_schedule_refuses_the_decay_of_another(tiny_config):
  tiny_config.optim.schedule, tiny_config.optim.decay = "cosine", 0.2
  with pytest.raises(ConfigError, match=r"optim.decay is 0.2, must be 0.1: the schedule 'cosine'"):
    validate(tiny_config)


def test_a_magnitude_above_30_is_refused(tiny_config):
  tiny_config.data.policy, tiny_config.data.policy_magnitude = "randaugment", 31
  with pytest.raises(ConfigError, match=r"^config.data.policy_magnitude is 31, .* \[0, 30\]"):
    validate(tiny_config)


def test_methods_without_hard_labels_take_mixed_and_smoothed_ones(tiny_config):
  tiny_config.rows = ("nokd", "kd", "deit", "takd")
  tiny_config.data.mixup = tiny_config.optim.label_smoothing = 0.1
  validate(tiny_config)


def test_the_config_is_locked_and_typed(tiny_config):
  with pytest.raises(AttributeError, match=re.escape("taus")):
    tiny_config.kd.taus = 4.0
  with pytest.raises(TypeError):
    tiny_config.kd.tau = "4"


@pytest.mark.parametrize("option", ["data", "student", "isats", "run.loader", "teacher.seed"])
def test_a_config_without_an_option_is_refused_by_its_name(tiny_config, option):
  section, _, key = option.rpartition(".")
  with tiny_config.unlocked():
    del (tiny_config[section] if section else tiny_config)[key]
  with pytest.raises(ConfigError, match=rf"^config\.{option} is missing; start from "):
    validate(tiny_config)


def test_the_default_config_is_valid():
  validate(jaxkd_config.default())
