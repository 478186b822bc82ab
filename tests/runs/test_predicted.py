"""Students learn the same from a teacher's stored predictions as from its network."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import time

import numpy as np
import pytest

from jaxkd import data, models, predict, rm
from jaxkd.common.cluster import StopRequest
from jaxkd.common.errors import ConfigError, UserError
from jaxkd.runs import (
  experiment,
  inventory,
  planning,
  predicted,
  prediction_files,
  queue,
  teachers,
  validation,
)
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.validation import validate
from jaxkd.training import loop, sharding, step
from jaxkd.training.predictions import Predictions, part_of

TINY = "tests.tiny_networks:TinyNet"
TINY_TEACHER = "tests.tiny_networks:TinyZooNet"
ROWS = ("kd", "fgcr", "rkd")


def with_views(config, rows=ROWS):
  """Changes a config: students see two views for two epochs and a half."""
  for network in (config.teacher, config.student):
    network.name, network.options = TINY, {}
  config.teacher.name, config.teacher.options = TINY_TEACHER, {"width": 12}
  config.rows, config.data.views = rows, 2
  config.student.epochs, config.run.eval_every_epochs = 2.5, 2.5
  config.run.checkpoint_every_steps = 100
  return config


def run(config, workdir):
  """Trains a config; returns results and logs by row, and the lines on stderr."""
  validate(config)
  one = experiment.Experiment.of(config, workdir)
  with contextlib.redirect_stderr(io.StringIO()) as lines:
    assert not experiment.run([one])
  found = {}
  for row, (phase, *_) in one.rows.items():
    folder = one.folder(phase)
    logs = [{**line, "images_per_second": None} for line in folder.logged()]
    result = {key: folder.result()[key] for key in ("steps", "train", "test")}
    found[row] = json.dumps([phase.identity, result, logs])
  return found, lines.getvalue()


@pytest.fixture(scope="module", autouse=True)
def frozen():
  """Folds teachers as on a GPU; the networks that were folded."""
  networks = []

  def freeze(network, images):
    models.freeze(network, images)
    assert network.module.norm.folded
    networks.append(network)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(step, "backend", lambda: "gpu")
    patch.setattr(step, "freeze", freeze)
    yield networks


@pytest.fixture(scope="module")
def in_the_step(make_tiny_config, tmp_path_factory, frozen):
  """Results of students whose teacher runs in every step, and their store."""
  config = with_views(make_tiny_config())
  config.run.predictions_gib = 0.0
  workdir = tmp_path_factory.mktemp("network")
  found, said = run(config, workdir)
  assert "predictions" not in said
  assert frozen
  return found, workdir


@pytest.fixture
def workdir(in_the_step, tmp_path, tiny_config):
  """A store with the trained teacher alone."""
  phase = planning.teacher(with_views(tiny_config))
  shutil.copytree(in_the_step[1] / phase.folder, tmp_path / "runs" / phase.folder)
  return tmp_path / "runs"


def kept(workdir):
  """Returns the only predictions of a store."""
  (path,) = workdir.glob("predictions-*")
  return Predictions(path)


def test_streamed_predictions_give_the_same_bits(tiny_config, in_the_step, workdir):
  config = with_views(tiny_config, ("fgcr",))
  config.run.loader, config.run.resident_gib = "resident", 0.0
  assert run(config, workdir)[0]["fgcr"] == in_the_step[0]["fgcr"]


def test_students_end_with_the_same_bits_as_with_the_network(
  tiny_config, in_the_step, workdir, frozen
):
  config = with_views(tiny_config)
  frozen.clear()
  found, said = run(config, workdir)
  # Once for rkd in the step; for the others to write predictions, and again for those of fgcr.
  assert len(frozen) == 3
  assert found == in_the_step[0]
  lines = [line for line in said.splitlines() if line.startswith("predictions of ")]
  # kd writes both views, fgcr the images without augmentation; rkd needs features.
  assert [" are written once, 2 of 2: " in lines[0], " 1 of 3: " in lines[1]] == [True, True]
  assert len(lines) == 2
  # A further student computes nothing of the teacher's.
  config.kd.tau, config.rows, config.seeds, config.student.epochs = 2.0, ("kd",), (5,), 0.25
  _, said = run(config, workdir)
  assert " are reused: " in said
  assert "written once" not in said


def test_the_stored_logits_are_those_of_the_views(tiny_config, workdir):
  config = with_views(tiny_config, ("kd",))
  config.data.seed, config.student.epochs = 4, 1.25
  run(config, workdir)
  predictions = kept(workdir)
  assert predictions.about["view_seed"] == 4
  spec = data.find("digits")
  train, _ = data.load(spec)
  entry = PhaseFolder.of(workdir, planning.teacher(config))
  network, variables = teachers.load_network(entry, sharding.mesh())
  rows = np.arange(3, 1400, 200)
  for view in range(2):
    places = np.stack([rows, np.full_like(rows, view)], axis=1).astype(np.int32)
    key = loop.view_key(4)
    pixels = data.augment_views(np.asarray(train.images)[rows], spec, key, places)
    expected = network.apply(variables, data.normalize(pixels, spec)).logits
    own = predictions.arrays(part_of(view))["logits"][rows]
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)


def test_a_stopped_student_resumes_to_the_same_bits(tiny_config, in_the_step, workdir, monkeypatch):
  config = with_views(tiny_config, ("kd",))
  config.run.checkpoint_every_steps = 5
  original = queue.train

  def stopped(job, stop):
    if job.views:
      stop = StopRequest()
      stop.set()
    return original(job, stop)

  with monkeypatch.context() as patch:
    patch.setattr(queue, "train", stopped)
    with pytest.raises(Exception, match="stopped at step 1 of 56"):
      run(config, workdir)
  found, _ = run(config, workdir)
  assert found["kd"] == in_the_step[0]["kd"]


def test_a_store_keeps_no_more_predictions_than_its_limit(tiny_config, in_the_step, workdir):
  config = with_views(tiny_config, ("kd",))
  config.run.predictions_gib = 1e-6
  found, said = run(config, workdir)
  assert found["kd"] == in_the_step[0]["kd"]
  assert not list(workdir.glob("predictions-*"))
  assert "would exceed config.run.predictions_gib, 1e-06: the teacher runs in every step" in said


def test_ls_and_rm_know_predictions(tiny_config, workdir):
  config = with_views(tiny_config, ("kd",))
  config.student.epochs = 1.05
  run(config, workdir)
  path = kept(workdir).path
  teacher = planning.teacher(tiny_config).folder
  entry = inventory.entries(workdir)[0]
  assert entry.path == path
  assert entry.state == f"2 of 2 views of {teacher}"
  assert path not in [each.path for each in inventory.unused(workdir, 7)]
  old = time.time() - 30 * 24 * 3600
  for each in (path, *path.iterdir()):
    os.utime(each, (old, old))
  rm.main(["--unused", "--yes", f"--workdir={workdir}"])
  assert not path.exists()
  assert (workdir / teacher).exists()


@pytest.fixture(scope="module")
def given(make_tiny_config, in_the_step, tmp_path_factory):
  """Folders of predictions by storage."""
  config = with_views(make_tiny_config())
  out = tmp_path_factory.mktemp("given")
  storages = {
    "exact": prediction_files.Kept(),
    "features": prediction_files.Kept("float16", 0, True),
    "top": prediction_files.Kept("float16", 4),
  }
  for name, storage in storages.items():
    prediction_files.own(config, in_the_step[1], str(out / name), storage)
  return out


def test_exact_predictions_stand_for_the_network_and_others_do_not(
  tiny_config, in_the_step, given, tmp_path
):
  config = with_views(tiny_config)
  config.rows, config.teacher.predictions = ("kd", "fgcr"), str(given / "exact")
  found, said = run(config, tmp_path)
  assert found == {row: in_the_step[0][row] for row in config.rows}
  assert "2 phases to train" in said
  identities = set()
  for name in ("exact", "features", "top"):
    config.teacher.predictions = str(given / name)
    identities.add(planning.student(config, "kd", 0).identity)
  assert len(identities) == 3


def test_stored_features_serve_the_methods_that_need_them(tiny_config, given, tmp_path):
  config = with_views(tiny_config)
  config.rows, config.teacher.predictions = ("rkd",), str(given / "features")
  config.student.epochs = 0.25
  found, _ = run(config, tmp_path)
  assert found["rkd"]


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"data.views": 3}, "config.data.views is 3, must be 2, as in the predictions"),
    ({"data.views": 0}, "config.data.views is 0, must be 2, as in the predictions"),
    ({"data.seed": 9}, "config.data.seed is 9, must be 0, as in the predictions"),
    ({"data.train_share": 0.5}, "are of other images: train_share was None, here it is 0.5"),
    ({"rows": ("rkd",)}, "method 'rkd' needs more of its teacher than the logits in "),
    ({"rows": ("simkd",)}, "method 'simkd' needs more of its teacher than the logits in "),
    ({"teacher.checkpoint": "x"}, "config.teacher.checkpoint|x is not the folder"),
    ({"teacher.predictions": "nowhere"}, "config.teacher.predictions: nowhere is not the folder"),
  ],
  ids=lambda value: next(iter(value.items()), "")[0] if isinstance(value, dict) else "",
)
def test_predictions_that_do_not_fit_are_refused(tiny_config, given, options, message):
  config = with_views(tiny_config, ("kd",))
  config.teacher.predictions = str(given / "exact")
  config.update_from_flattened_dict(options)
  with pytest.raises(UserError, match=message) as caught:
    validate(config)
  assert "\n" not in str(caught.value)


def test_predictions_of_another_version_are_refused(tiny_config, given, monkeypatch):
  config = with_views(tiny_config, ("kd",))
  config.teacher.predictions = str(given / "exact")
  monkeypatch.setattr(predicted, "FORMAT", predicted.FORMAT + 1)
  with pytest.raises(ConfigError, match="are of another version of jaxkd"):
    validate(config)


def test_a_phase_is_no_folder_of_predictions_and_the_other_way_round(
  tiny_config, in_the_step, given
):
  config = with_views(tiny_config, ("kd",))
  phase = in_the_step[1] / planning.teacher(config).folder
  config.teacher.predictions = str(phase)
  with pytest.raises(ConfigError, match=r"--config\.teacher\.checkpoint takes this folder"):
    validate(config)
  config.teacher.predictions, config.teacher.checkpoint = "", str(given / "exact")
  with pytest.raises(ConfigError, match=r"--config\.teacher\.predictions takes this folder"):
    validate(config)


def test_mixed_images_have_no_views(tiny_config):
  phase = planning.student(with_views(tiny_config), "kd", 0)
  mixed = dataclasses.replace(phase, data={**phase.data, "cutmix": 1.0})
  with pytest.raises(ConfigError, match=r"data\.cutmix is 1\.0, must be 0 with data\.views"):
    validation.check_views(mixed)


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--import_clean=x"], "--import_clean is set, which needs --import_logits"),
    (["--view_size=9"], "--view_size is set, which needs --export_views"),
    (["--import_logits=x", "--export_views=y"], "are set, must be one of them"),
  ],
)
def test_flags_without_effect_are_refused(command, capsys, flags, message):
  with pytest.raises(SystemExit):
    command(predict.main, "--config=configs/digits_isats.py:teacher=mlp,student=mlp", *flags)
  assert message in capsys.readouterr().err


def test_the_command_refuses_a_config_without_views(command, tmp_path, capsys):
  with pytest.raises(SystemExit):
    command(
      predict.main, "--config=configs/digits_isats.py:teacher=mlp,student=mlp", f"--out={tmp_path}"
    )
  assert "config.data.views is 0, must be > 0" in capsys.readouterr().err
