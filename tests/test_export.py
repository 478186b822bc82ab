"""A trained network leaves the store for PyTorch."""

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
  """The network that a command writes."""
  export.main([str(folder.path), str(out), *flags])
  model = planning.network(folder.phase)
  nnx.update(model, *weights.from_torch(model, weights.read(out)))
  return model


def assert_trained(model, folder, step):
  _, trained = teachers.load_network(folder, sharding.mesh(), step)
  for kind, expected in ((nnx.Param, trained[0]), (nnx.BatchStat, trained[1])):
    jax.tree.map(np.testing.assert_array_equal, nnx.state(model, kind), expected)


def test_the_written_weights_are_the_trained_ones(tiny_config, run_experiment, tmp_path):
  tiny_config.rows = ("nokd",)
  tiny_config.student.name, tiny_config.student.options = "resnet8", {}
  tiny_config.student.epochs = 0.1
  tiny_config.run.checkpoint_every_steps = 1
  run_experiment(tiny_config, tmp_path)
  folder = PhaseFolder.of(tmp_path, planning.student(tiny_config, "nokd", 0))
  assert folder.steps == {0, 1, 2}

  out = tmp_path / "out.safetensors"
  assert_trained(exported(folder, out), folder, 2)
  # As if it were still training.
  (folder.path / "result.json").unlink()
  assert_trained(exported(folder, out), folder, 2)
  assert_trained(exported(folder, out, "--step=1"), folder, 1)
  out.unlink()
  with pytest.raises(SystemExit, match=r"^python -m jaxkd.export: no .* 3 in .* of 1, 2$"):
    export.main([str(folder.path), str(out), "--step=3"])
  assert not out.exists()


def test_a_folder_that_is_no_phase_is_one_line(tmp_path):
  with pytest.raises(SystemExit, match=r"jaxkd.export: .* is not the folder"):
    export.main([str(tmp_path), str(tmp_path / "out.safetensors")])
