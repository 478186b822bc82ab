"""A phase is identified by content, not by names or paths."""

import dataclasses
import importlib
import shutil
import sys

import numpy as np
import pytest
from flax import nnx

from jaxkd import data, methods, models
from jaxkd.models import weights
from jaxkd.runs import planning
from jaxkd.runs.phase import Phase

NAME = "identity_test"


def student(config, row="kd"):
  return planning.student(config, row, 0)


@pytest.mark.parametrize(
  ("option", "value"),
  [
    ("dtype", "bfloat16"),
    ("data.batch_size", 32),
    ("data.validation", 0.1),
    ("data.train_share", 0.5),
    ("data.seed", 7),
    ("student.options", {"depth": 1, "width": 17}),
    ("student.epochs", 0.75),
    ("student.learning_rate", 0.1),
    ("optim.momentum", 0.8),
    ("optim.milestones", (0.5,)),
    ("optim.name", "lamb"),
    ("optim.schedule", "cosine"),
    ("optim.decay_norms_and_biases", False),
    ("optim.clip_norm", 1.0),
    ("optim.accumulate", 2),
    ("optim.label_smoothing", 0.1),
    ("optim.ema", 0.99),
    ("optim.batch_norm_groups", 2),
    ("data.policy", "randaugment"),
    ("data.erasing", 0.25),
    ("data.mixup", 0.2),
    ("data.cutmix", 1.0),
    ("kd.tau", 3.0),
    ("teacher.epochs", 0.75),
    ("teacher.options", {"depth": 2, "width": 33}),
    ("teacher.seed", 1),
  ],
)
def test_an_option_that_determines_the_result_changes_the_identity(tiny_config, option, value):
  before = student(tiny_config)
  section, _, key = option.rpartition(".")
  target = tiny_config[section] if section else tiny_config
  if isinstance(value, dict):
    target[key].update(value)
  else:
    target[key] = value
  after = student(tiny_config)
  assert after != before
  assert after.folder != before.folder


@pytest.mark.parametrize(
  ("option", "value"),
  [
    ("title", "other"),
    ("rows", ("nokd",)),
    ("seeds", (1, 2)),
    ("ensemble", 3),
    ("data.data_dir", "/elsewhere"),
    ("run.eval_every_epochs", 5.0),
    ("run.checkpoint_every_steps", 7),
    ("run.cohort", 3),
    ("run.deterministic", False),
    ("run.loader", "streamed"),
    ("run.steps_per_dispatch", 4),
    # Options of other rows and networks.
    ("ats.tau1", 7.0),
    ("combined.kd", 3.0),
    ("small_teacher.epochs", 9.0),
    ("multi.networks", ("teacher",)),
  ],
)
def test_other_options_do_not_change_the_identity(tiny_config, option, value):
  before = student(tiny_config)
  section, _, key = option.rpartition(".")
  (tiny_config[section] if section else tiny_config)[key] = value
  assert student(tiny_config) == before


def test_the_identities_of_earlier_versions_stay(tiny_config):
  # What a phase had before there were other optimisers, schedules and augmentations.
  phase = student(tiny_config)
  usual = {"momentum", "weight_decay", "warmup", "milestones", "decay", "epochs", "learning_rate"}
  assert phase.schedule.keys() == usual
  assert not phase.data.keys() & {"policy", "policy_operations", "erasing", "mixup", "cutmix"}


def test_unused_options_are_no_part_of_the_identity(tiny_config):
  tiny_config.optim.name, tiny_config.optim.schedule = "adamw", "linear"
  before = student(tiny_config)
  tiny_config.optim.milestones, tiny_config.optim.decay = (0.2,), 0.5
  assert student(tiny_config) == before
  tiny_config.optim.beta2 = 0.999  # as None
  assert student(tiny_config) == before
  tiny_config.optim.beta2 = 0.95
  assert student(tiny_config) != before


def test_another_network_changes_the_identity(tiny_config):
  before = student(tiny_config)
  tiny_config.student.name, tiny_config.student.options = "resnet8", {}
  assert student(tiny_config) != before


def test_the_seed_changes_the_student_but_not_its_teacher(tiny_config):
  first, second = (planning.student(tiny_config, "kd", seed) for seed in (0, 1))
  assert first != second
  assert first.teachers == second.teachers


def test_networks_of_equal_name_and_unequal_width_differ(tiny_config, monkeypatch):
  # The registration is undone after the test.
  known = dict(models.registry.ARCHITECTURES)
  monkeypatch.setattr(models.registry, "ARCHITECTURES", known)

  def of_width(width):
    def network(num_classes, image_size, in_channels, rngs):
      return nnx.Sequential(
        lambda x: x.reshape(len(x), -1),
        nnx.Linear(image_size * image_size * in_channels, width, rngs=rngs),
        nnx.Linear(width, num_classes, rngs=rngs),
      )

    models.register(NAME, network)
    tiny_config.student.name, tiny_config.student.options = NAME, {}
    return student(tiny_config)

  narrow, wide = of_width(8), of_width(32)
  assert narrow.network["name"] == wide.network["name"]
  assert narrow.network["arrays"] != wide.network["arrays"]
  assert narrow != wide
  assert of_width(8) == narrow


def register_images(class_names=("dark", "bright"), mean=0.5, brightness=100):
  def load():
    rng = np.random.default_rng(0)

    def split(size):
      labels = np.arange(size) % 2
      noise = rng.integers(0, 100, (size, 8, 8, 1))
      return (noise + brightness * labels[:, None, None, None]).astype(np.uint8), labels

    return split(128), split(32)

  data.register(NAME, load, class_names=class_names, mean=mean, std=0.25)


@pytest.mark.parametrize(
  "changed",
  [{"class_names": ("bright", "dark")}, {"mean": 0.25}, {"brightness": 150}],
  ids=["class order", "normalisation", "images"],
)
def test_data_of_equal_name_and_unequal_content_differ(tiny_config, changed):
  tiny_config.data.name = NAME
  tiny_config.data.batch_size = 32
  register_images()
  before = student(tiny_config)
  register_images()
  assert student(tiny_config) == before
  register_images(**changed)
  assert student(tiny_config) != before


def test_weights_are_identified_by_their_content(tiny_config, tmp_path):
  untouched = student(tiny_config)
  model = planning.network(untouched)
  first, moved, other = (tmp_path / f"{name}.safetensors" for name in ("first", "moved", "other"))
  weights.write(first, weights.to_torch(model))
  shutil.copy(first, moved)
  weights.write(other, weights.to_torch(planning.network(untouched, nnx.Rngs(9))))

  def starting_from(path):
    tiny_config.student.init_from = str(path)
    return student(tiny_config)

  assert starting_from(first) != untouched
  assert starting_from(first) == starting_from(moved)
  assert starting_from(first).weights != starting_from(moved).weights
  assert starting_from(first) != starting_from(other)
  # The same path with another content.
  before = starting_from(moved)
  shutil.copy(other, moved)
  assert starting_from(moved) != before
  assert starting_from(moved) == starting_from(other)


def test_the_version_of_a_method_changes_the_identity(tiny_config, monkeypatch):
  before = student(tiny_config)
  unaffected = student(tiny_config, "ats")
  monkeypatch.setattr(methods.find("kd"), "version", 2)
  assert student(tiny_config) != before
  assert student(tiny_config, "ats") == unaffected


def test_the_source_of_a_users_method_changes_its_identity(tiny_config, tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(tmp_path)
  text = """
import dataclasses
from jaxkd import losses, methods

@dataclasses.dataclass(frozen=True)
class Mine(methods.Method):
  weight: float = 1.0

  def loss(self, view):
    gap = losses.fitnet(view.student.logits, view.teacher.logits)
    return methods.plus_cross_entropy(view, gap=self.weight * gap), {}
"""

  def identity(text):
    (tmp_path / "identity_methods.py").write_text(text)
    importlib.invalidate_caches()
    if module := sys.modules.get("identity_methods"):
      importlib.reload(module)
    return methods.identity(methods.create("identity_methods:Mine", {}))

  before = identity(text)
  assert identity(f"# A comment.\n{text}") == before
  assert identity(text.replace("self.weight * gap", "2 * self.weight * gap")) != before
  del sys.modules["identity_methods"]


def test_an_identity_survives_a_round_trip_through_json(tiny_config):
  phase = student(tiny_config)
  again = Phase.from_dict(phase.to_dict())
  assert again == phase
  assert planning.objective_of(again) == planning.objective_of(phase)
  assert dataclasses.asdict(planning.spec_of(again)) == dataclasses.asdict(
    dataclasses.replace(data.SPECS["digits"], sizes=None)
  )
