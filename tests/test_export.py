"""`jaxkd.export` writes the weights of a trained network."""

import re

import jax
import numpy as np
import pytest
from flax import nnx

from jaxkd import export
from jaxkd.models import weights
from jaxkd.runs import planning, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding


def exported(folder, out, *flags):
  """Exports a phase; returns the network with the written weights."""
  export.main([str(folder.path), str(out), *flags])
  model = planning.network(folder.phase)
  nnx.update(model, *weights.from_torch(model, weights.read(out)))
  return model


def assert_trained(model, folder, step):
  _, trained = teachers.load_network(folder, sharding.mesh(), step)
  for kind, expected in ((nnx.Param, trained[0]), (nnx.BatchStat, trained[1])):
    jax.tree.map(np.testing.assert_array_equal, nnx.state(model, kind), expected)


def test_the_exported_weights_equal_the_trained_weights(
  tiny_config, run_experiment, tmp_path, capsys, full_disk
):
  tiny_config.rows = ("nokd",)
  tiny_config.student.name, tiny_config.student.options = "resnet8", {}
  tiny_config.student.epochs = 0.1
  tiny_config.run.checkpoint_every_steps = 1
  run_experiment(tiny_config, tmp_path)
  capsys.readouterr()
  folder = PhaseFolder.of(tmp_path, planning.student(tiny_config, "nokd", 0))
  assert folder.steps == {0, 1, 2}

  out = tmp_path / "out.safetensors"
  assert_trained(exported(folder, out), folder, 2)
  # A phase without a result is still training.
  (folder.path / "result.json").unlink()
  assert_trained(exported(folder, out), folder, 2)
  assert_trained(exported(folder, out, "--step=1"), folder, 1)

  before = out.read_bytes()
  with full_disk():
    told = refused(capsys, folder.path, out)
  assert told == f"can't write {out}.md: File too large"
  assert {path.name for path in tmp_path.glob("out*")} == {"out.safetensors", f"{out.name}.md"}
  assert out.read_bytes() == before
  out.unlink()
  told = refused(capsys, folder.path, out, "--step=3")
  assert re.fullmatch(r"no checkpoint of step 3 in .* steps are 1, 2", told)
  assert not out.exists()


def refused(capsys, *argv):
  """Returns the line of a command that fails."""
  with pytest.raises(SystemExit) as error:
    export.main([*map(str, argv)])
  assert error.value.code == 2
  told = capsys.readouterr().err
  assert told.startswith("jaxkd: ")
  assert told.endswith("\n")
  assert told.count("\n") == 1
  return told.removeprefix("jaxkd: ").rstrip()


def test_a_folder_without_a_phase_is_refused(tmp_path, capsys):
  assert "is not the folder" in refused(capsys, tmp_path, tmp_path / "out.safetensors")


@pytest.mark.parametrize(
  "name", ["student.onnxx", "student.pth", "student", "student.safetensors.gz"]
)
def test_an_unknown_suffix_is_refused_before_anything_is_loaded(tmp_path, capsys, name):
  out = tmp_path / name
  # The phase is missing, too.
  assert refused(capsys, tmp_path / "absent", out) == (
    f"can't write {out}: the name must end with .safetensors, .stablehlo or .onnx"
  )
  assert not any(tmp_path.iterdir())
