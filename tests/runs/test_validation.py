"""Bad input is one line: the option, its value, what is allowed."""

import re

import pytest

from jaxkd.common.errors import ConfigError
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import rows
from jaxkd.runs.store import Phase, PhaseFolder


@pytest.mark.parametrize(
  ("option", "value", "message"),
  [
    ("rows", (), "one row or more"),
    ("rows", ("isat",), "'isat', must be one of .*did you mean 'isats'"),
    ("rows", ("kd", "kd"), "without repetitions"),
    ("title", "../up", "it names a folder"),
    ("optim.milestones", ("a",), "numbers"),
    ("isats.grid", ("a",), "numbers"),
    (
      "rows",
      ("kd+ens",),
      "as many as fill ensembles of 2 .* rows that end in '.ens'",
    ),
    ("seeds", (), "one integer or more"),
    ("seeds", (0.5,), "one integer or more"),
    ("seeds", (-1,), r"in \[0, 2\*\*32\)"),
    ("dtype", "float16", "one of float32, bfloat16"),
    ("data.name", "cifar-100", "did you mean 'cifar100'"),
    ("data.batch_size", 0, "positive multiple of the number of devices, 8"),
    ("data.batch_size", 100, "100, must be a positive multiple .* 8"),
    ("tuned", {"isat": {}}, "did you mean 'isats'"),
    ("data.train_share", 0.0, r"in \(0, 1\]"),
    ("data.seed", -1, r"in \[0, 2\*\*32\)"),
    ("teacher.name", "resnt20", "did you mean 'resnet20'"),
    ("student.name", "vg8", "did you mean 'vgg8'"),
    ("student.epochs", 0.0, "> 0"),
    ("student.epochs", float("inf"), "inf, must be > 0"),
    ("student.learning_rate", float("nan"), "nan, must be > 0"),
    ("teacher.seed", -1, r"\[0, 2\*\*32\)"),
    ("teacher.checkpoint", "/nowhere", "/nowhere is not the folder of a phase"),
    ("optim.momentum", 1.0, r"in \[0, 1\)"),
    ("optim.weight_decay", -1e-4, ">= 0"),
    ("optim.warmup", 1.0, r"in \[0, 1\)"),
    ("optim.milestones", (0.5, 0.5), "ascending"),
    ("optim.milestones", (0.01,), "after the warm-up"),
    ("optim.decay", 0.0, r"in \(0, 1\]"),
    ("kd.lam", 1.5, r"1.5, must be in \[0, 1\]"),
    ("kd.tau", 0.0, "0.0, must be > 0"),
    ("kd.student_tau", -1.0, "> 0"),
    ("kd.weight", -1.0, "-1.0, must be >= 0"),
    ("ats.tau1", -4.0, "-4.0, must be > 0"),
    ("ats.lam", -0.1, r"in \[0, 1\]"),
    ("isats.grid", (), "one temperature > 0 or more"),
    ("isats.grid", (1.0, 0.0), "one temperature > 0 or more"),
    ("isats.gap", -1.0, ">= 0"),
    ("fgcr.alpha", 2.0, r"in \[0, 1\]"),
    ("fgcr.tau", 1.0, "> 1"),
    ("regt.beta", -0.01, ">= 0"),
    ("dist.gamma", -1.0, ">= 0"),
    ("sckd.per", "epoch", "one of sample, batch"),
    ("crd.negatives", 0, "0, must be > 0"),
    ("crd.tau", 0.0, "0.0, must be > 0"),
    ("crd.weight", -0.8, "-0.8, must be >= 0"),
    ("multi.contrast", float("nan"), "nan, must be >= 0"),
    ("eskd.teacher_epochs", 1.5, r"in \(0, 1\]"),
    ("takd.assistants", ("resnet200",), "did you mean 'resnet20'"),
    ("takd.init_from", ("a", "b"), "1 files, one for each of takd.assistants"),
    ("multi.networks", ("techer",), "did you mean 'teacher'"),
    ("multi.init_from", ("a",), "2 files, one for each of multi.networks"),
    ("reskd.init_from", "nowhere", "nowhere"),
    ("run.eval_every_epochs", 0.0, "> 0"),
    ("run.checkpoint_every_steps", 0, "> 0"),
    ("run.keep_checkpoints", 0, "> 0"),
    ("run.steps_per_dispatch", -1, ">= 0"),
    ("run.workers", -1, ">= 0"),
  ],
)
def test_an_impossible_value_is_named(tiny_config, option, value, message):
  section, _, key = option.rpartition(".")
  target = tiny_config[section] if section else tiny_config
  target[key] = value
  with pytest.raises(ConfigError, match=message) as caught:
    jaxkd_config.validate(tiny_config)
  named = "seeds" if value == ("kd+ens",) else option
  assert str(caught.value).startswith(f"config.{named}")
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("name", "options", "message"),
  [
    ("mlp", {"widht": 3}, "did you mean width"),
    ("alexnet", {}, "'alexnet' on digits: .*pixels"),
  ],
)
def test_a_network_that_cannot_be_built_is_named(tiny_config, name, options, message):
  tiny_config.student.name, tiny_config.student.options = name, options
  with pytest.raises(ConfigError, match=message):
    jaxkd_config.validate(tiny_config)


def test_a_teacher_of_other_classes_is_refused(tiny_config, tmp_path):
  theirs = Phase(
    data={"name": "cifar100", "batch_size": 128},
    network={"name": "resnet8", "dtype": "float32", "options": {}},
    optim={"epochs": 1.0},
    loss={"name": "cross_entropy"},
    seed=0,
  )
  entry = PhaseFolder.of(tmp_path, theirs)
  entry.create()
  entry.finish({})
  tiny_config.teacher.checkpoint = str(entry.path)
  with pytest.raises(
    ConfigError,
    match=r"num_classes 10 for digits; it was trained on cifar100 with 100",
  ):
    jaxkd_config.validate(tiny_config)


@pytest.mark.parametrize(
  ("assistants", "message"),
  [
    (("resnet8",), "no larger than what .*: resnet8 has .*, mlp has 3,466$"),
    (("mlp", "vgg8"), "vgg8 has .* parameters, mlp has 3,466$"),
    ((), "one network or more"),
  ],
)
def test_assistants_are_no_larger_than_their_teachers(assistants, message, tiny_config):
  tiny_config.takd.assistants = assistants
  jaxkd_config.validate(tiny_config)
  tiny_config.rows = ("takd",)
  with pytest.raises(ConfigError, match=rf"^config.takd.assistants is .*{message}"):
    jaxkd_config.validate(tiny_config)


@pytest.mark.parametrize("row", ["eskd", "regt", "eskd+ens", "multi"])
def test_a_row_that_would_not_use_the_given_teacher_is_refused(row, tiny_config, tmp_path):
  entry = PhaseFolder.of(tmp_path, rows.teacher(tiny_config))
  entry.create()
  entry.finish({})
  tiny_config.rows, tiny_config.seeds = (row,), (0, 1)
  tiny_config.multi.networks = ("resnet14", "resnet8")
  jaxkd_config.validate(tiny_config)
  tiny_config.teacher.checkpoint = str(entry.path)
  with pytest.raises(ConfigError, match=r"where teacher\.checkpoint is given"):
    jaxkd_config.validate(tiny_config)


def test_several_teachers_may_have_a_given_one_among_them(tiny_config, tmp_path):
  tiny_config.teacher.epochs = 0.1
  given = rows.teacher(tiny_config)
  entry = PhaseFolder.of(tmp_path, given)
  entry.create()
  entry.finish({})
  tiny_config.teacher.checkpoint = str(entry.path)
  tiny_config.teacher.epochs = 99.0
  tiny_config.rows = ("multi",)
  jaxkd_config.validate(tiny_config)
  assert rows.ROWS["multi"](tiny_config, 0).teachers[0] == given


def test_the_config_is_locked_and_typed(tiny_config):
  with pytest.raises(AttributeError, match=re.escape("taus")):
    tiny_config.kd.taus = 4.0
  with pytest.raises(TypeError):
    tiny_config.kd.tau = "4"


def test_the_defaults_are_valid():
  jaxkd_config.validate(jaxkd_config.default())
