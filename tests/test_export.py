"""A trained network leaves the store for PyTorch."""

import jax
import numpy as np
import pytest
from flax import nnx

from jaxkd import convert, experiment, export, methods, sharding, train
from jaxkd.data import SPECS
from jaxkd.store import Entry


def test_the_written_weights_are_the_trained_ones(tiny_config, tmp_path):
  tiny_config.rows = ("nokd",)
  tiny_config.student.name, tiny_config.student.options = "resnet8", {}
  tiny_config.student.epochs = 0.05
  experiment.run(tiny_config, tmp_path)
  phase = methods.ROWS["nokd"](tiny_config, 0)
  entry, out = Entry.of(tmp_path, phase), tmp_path / "out.safetensors"
  export.main([str(entry.path), str(out)])
  again = methods.network(phase, SPECS["digits"])
  nnx.update(again, *convert.from_torch(again, convert.read(out)))
  _, trained = train.load_network(entry, SPECS["digits"], sharding.mesh())
  for kind, expected in ((nnx.Param, trained[0]), (nnx.BatchStat, trained[1])):
    jax.tree.map(
      np.testing.assert_array_equal, nnx.state(again, kind), expected
    )


def test_a_folder_that_is_no_phase_is_one_line(tmp_path):
  with pytest.raises(SystemExit, match=r"jaxkd.export: .* is not the folder"):
    export.main([str(tmp_path), str(tmp_path / "out.safetensors")])
