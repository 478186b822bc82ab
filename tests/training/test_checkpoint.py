"""A saved state is restored bit-identically, or one line states why not."""

import contextlib
import functools
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import Mesh

from jaxkd import models
from jaxkd.training import sharding
from jaxkd.training.checkpoint import CheckpointError, Checkpoints
from jaxkd.training.step import TrainState, Variables, functional
from tests.faults import FAULTS


def state_of(step, width=8, devices=1):
  model = models.create(
    "mlp", num_classes=10, image_size=8, in_channels=1, depth=1, width=width, rngs=nnx.Rngs(step)
  )
  _, variables = functional(model)
  state = TrainState(
    step=jnp.int32(step),
    variables=variables,
    adapter=Variables(nnx.State({}), nnx.State({})),
    opt_state=optax.sgd(0.1, momentum=0.9).init(variables.params),
    constants={"class_means": jnp.full((2, 2), 0.5)},
    sums={"loss": jnp.float32(step / 3)},
    steps_summed=jnp.float32(step),
    bad_step=jnp.int32(-1),
  )
  mesh = Mesh(np.array(jax.devices()[:devices]), (sharding.DATA,))
  return sharding.replicate(mesh)(state)


@contextlib.contextmanager
def opened(directory, keep=2):
  checkpoints = Checkpoints(directory, keep)
  try:
    yield checkpoints
  finally:
    checkpoints.close()


def save(directory, *steps):
  with opened(directory) as checkpoints:
    for step in steps:
      checkpoints.save(state_of(step))
    checkpoints.wait()


def assert_equal(actual, expected):
  assert jax.tree.structure(actual) == jax.tree.structure(expected)
  jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("step", [3, 4])
def test_a_state_is_restored_on_any_number_of_devices(tmp_path, devices, step):
  save(tmp_path, 3, 4)
  with opened(tmp_path) as checkpoints:
    assert checkpoints.latest_step == 4
    restored = checkpoints.restore(state_of(0, devices=devices), step)
    checkpoints.forget_after(step)
    assert checkpoints.latest_step == step
  assert_equal(restored, state_of(step))
  (kernel, *_) = jax.tree.leaves(restored.variables.params)
  assert len(kernel.devices()) == devices


def test_a_network_is_restored_without_its_training_state(tmp_path):
  save(tmp_path, 3)
  with opened(tmp_path, keep=None) as checkpoints:
    restored = checkpoints.restore_network(state_of(0).variables)
  assert_equal(restored, state_of(3).variables)


def test_only_the_newest_checkpoints_are_kept(tmp_path):
  save(tmp_path, 1, 2, 3, 4)
  kept = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
  assert kept == ["3", "4"]


def test_an_empty_folder_has_no_checkpoint(tmp_path):
  with opened(tmp_path) as checkpoints:
    assert checkpoints.latest_step is None
    with pytest.raises(CheckpointError, match=f"no checkpoint in {tmp_path}"):
      checkpoints.restore_network(state_of(0).variables)


def test_a_checkpoint_of_another_shape_is_refused(tmp_path):
  save(tmp_path, 3)
  with (
    opened(tmp_path) as checkpoints,
    pytest.raises(CheckpointError, match=r"kernel.* is \[64, 8\], not \[64, 9\]"),
  ):
    checkpoints.restore(state_of(0, width=9), 3)
  assert (tmp_path / "3").exists()


def error_of(statements):
  """Runs statements in a new process, and returns its CheckpointError.

  After a failed read or write, Orbax's threads run on and may raise later. In
  this process that would be in the middle of another test.
  """
  script = f"""
import resource, signal, sys
sys.path[:0] = {[str(pathlib.Path(__file__).parents[i]) for i in (0, 2)]!r}
import test_checkpoint as t
try:
{textwrap.indent(textwrap.dedent(statements), "  ")}
except t.CheckpointError as error:
  print(error)
"""
  return subprocess.run(
    [sys.executable, "-c", script], capture_output=True, text=True, check=True
  ).stdout.removesuffix("\n")


def test_an_unreadable_checkpoint_is_named_and_left_alone(tmp_path):
  save(tmp_path, 3, 4)
  files = [file for file in (tmp_path / "4").rglob("*") if file.is_file()]
  max(files, key=lambda file: file.stat().st_size).write_bytes(b"")
  said = error_of(f"""
    with t.opened({str(tmp_path)!r}) as checkpoints:
      checkpoints.restore(t.state_of(0), 4)
  """)
  assert said.startswith(f"can't read checkpoint {tmp_path / '4'}: ")
  assert "\n" not in said
  # As the message advises.
  shutil.move(tmp_path / "4", tmp_path / "broken")
  with opened(tmp_path) as checkpoints:
    assert_equal(checkpoints.restore(state_of(0), 3), state_of(3))


def flips(count):
  """Returns functions that flip a bit of a content."""

  def flip(content, place):
    flipped = bytearray(content)
    bit = int(place * 8 * len(content))
    flipped[bit // 8] ^= 1 << bit % 8
    return flipped

  places = np.random.default_rng(0).random(count)
  return {f"flip {i}": functools.partial(flip, place=p) for i, p in enumerate(places)}


def restore_damaged(directory):
  """Restores a checkpoint with each fault of each file; prints every refusal."""
  template, sound = state_of(0), state_of(3)
  for file in sorted(path for path in directory.rglob("*") if path.is_file()):
    content = file.read_bytes()
    for name, fault in {**FAULTS, **flips(2), "missing": None}.items():
      file.write_bytes(fault(content)) if fault else file.unlink()
      try:
        with opened(directory, keep=None) as checkpoints:
          assert_equal(checkpoints.restore(template, 3), sound)
      except CheckpointError as error:
        print(f"{name}: {error}")
      file.write_bytes(content)


def test_no_damage_of_a_file_changes_a_restored_array(tmp_path):
  save(tmp_path, 3)
  said = error_of(f"t.restore_damaged(t.pathlib.Path({str(tmp_path)!r}))").splitlines()
  for line in said:
    assert re.match(rf"({'|'.join(FAULTS)}|missing|flip \d): .*checkpoint", line)
  # Orbax refuses the other files.
  assert any("the checksum of params." in line for line in said if line.startswith("flip"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(CheckpointError, match=r"can't open .*file/checkpoints"):
    Checkpoints(tmp_path / "file" / "checkpoints", keep=2)


def test_a_full_disk_is_reported_and_keeps_the_last_checkpoint(tmp_path):
  save(tmp_path, 3)
  # No file may grow above 20 KB, as on a full disk; a larger network needs it.
  said = error_of(f"""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    with t.opened({str(tmp_path)!r}) as checkpoints:
      checkpoints.save(t.state_of(4, width=4000))
      checkpoints.wait()
  """)
  assert said.startswith(f"can't write {tmp_path}: ")
  assert "\n" not in said
  with opened(tmp_path) as checkpoints:
    assert_equal(checkpoints.restore(state_of(0), 3), state_of(3))
