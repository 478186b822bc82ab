"""Checkpoints on Orbax: atomic, asynchronous, on any number of devices.

A checkpoint has three items: `network`, the variables that a later phase loads, `training`, the
rest of the state, and `checksums`, the CRC-32 of every array, because Orbax does not check arrays.
Arrays are named by their paths, so that a message can name an unfit array.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxkd.common import cluster
from jaxkd.common.buckets import AnyPath, absolute, errors
from jaxkd.common.digests import crc32
from jaxkd.common.errors import UserError, explained
from jaxkd.common.files import StrPath
from jaxkd.training.step import TrainState, Variables


class CheckpointError(UserError):
  """A checkpoint can't be written or read; the message is one line."""


def _named(tree: Any) -> dict[str, Any]:
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _checksums(**items: dict[str, jax.Array]) -> dict[str, dict[str, int]]:
  """Returns the CRC-32 of every array; a state is replicated, so each process has all of it."""

  def checksum(array: jax.Array) -> int:
    assert array.is_fully_replicated
    # `addressable_data` keeps no copy in the host.
    return crc32(np.asarray(array.addressable_data(0)))

  return {
    item: {name: checksum(array) for name, array in own.items()} for item, own in items.items()
  }


def _unnamed(named: dict[str, Any], template: Any) -> Any:
  leaves = [named[name] for name in _named(template)]
  return jax.tree.unflatten(jax.tree.structure(template), leaves)


def steps(directory: StrPath) -> list[int]:
  """Returns the steps of the complete checkpoints; a CheckpointError if they can't be listed."""
  with explained(CheckpointError, f"can't read {directory}", errors(directory)):
    return sorted(ocp.utils.checkpoint_steps(absolute(directory)))


class Checkpoints:
  """The checkpoints of one phase. The newest `keep` are kept; None is for reading."""

  def __init__(self, directory: StrPath, keep: int | None):
    self._directory = absolute(directory)
    options = ocp.CheckpointManagerOptions(
      max_to_keep=keep,
      create=keep is not None,
      cleanup_tmp_directories=keep is not None,
      # Each student of a cohort has its own manager.
      multiprocessing_options=ocp.options.MultiprocessingOptions(
        barrier_sync_key_prefix=self._directory.parent.name
      ),
    )
    handlers = {
      "network": ocp.StandardCheckpointHandler(),
      "training": ocp.StandardCheckpointHandler(),
      "checksums": ocp.JsonCheckpointHandler(),
    }
    if jax.process_count() > 1:
      for handler in handlers.values():
        self._end_if_not_written(handler)
    with self._told("can't open"):
      manager = ocp.CheckpointManager(self._directory, options=options, item_handlers=handlers)
    self._manager = manager

  @contextlib.contextmanager
  def _told(self, what: str) -> Iterator[None]:
    """Turns an error in the directory into one line."""
    try:
      yield
    except Exception as error:
      raise CheckpointError(f"{what} {self._directory}: {_reason(error)}") from error

  def _end_if_not_written(self, handler: Any) -> None:
    """Makes a failed write end the run: Orbax in the other processes would wait for this one."""
    start = handler.async_save

    async def async_save(*args, **kwargs):
      return [_Reported(future, self._told) for future in await start(*args, **kwargs)]

    handler.async_save = async_save

  @property
  def latest_step(self) -> int | None:
    """Step of the newest complete checkpoint; None if there is none."""
    return self._manager.latest_step()

  def save(self, state: TrainState) -> None:
    """Starts to write a state; returns when the devices may continue.

    A CheckpointError says that this or an earlier state could not be written.
    """
    rest = state._asdict()
    network, training = _named(rest.pop("variables")), _named(rest)
    with self._told("can't write"):
      self._manager.save(
        int(state.step),
        args=ocp.args.Composite(
          network=ocp.args.StandardSave(network),
          training=ocp.args.StandardSave(training),
          checksums=ocp.args.JsonSave(_checksums(network=network, training=training)),
        ),
      )

  def restore(self, template: TrainState, step: int) -> TrainState:
    """Reads the state of a step, to resume from there.

    The template has arrays, or abstract arrays, of the shapes, types and shardings to restore. A
    CheckpointError says that the checkpoint is damaged, can't be read, or doesn't fit.
    """
    training = template._asdict()
    restored = self._restore(step, network=training.pop("variables"), training=training)
    return TrainState(variables=restored["network"], **restored["training"])

  def forget_after(self, step: int) -> None:
    """Deletes newer checkpoints, which would keep Orbax from saving older steps again."""
    for newer in self._manager.all_steps():
      if newer > step:
        self._manager.delete(newer)

  def restore_network(self, template: Variables, step: int | None = None) -> Variables:
    """Reads the network of a step, by default the newest; see `restore`.

    Raises:
      CheckpointError: there is none, it is damaged, can't be read, or doesn't fit.
    """
    steps = sorted(self._manager.all_steps())
    if not steps:
      raise CheckpointError(f"no checkpoint in {self._directory}")
    if step is None:
      step = steps[-1]
    elif step not in steps:
      raise CheckpointError(
        f"no checkpoint of step {step} in {self._directory}; its steps are "
        f"{', '.join(map(str, steps))}"
      )
    remedy = f"; move {self._directory.parent} away to train it again"
    return self._restore(step, remedy, network=template)["network"]

  def _restore(self, step: int, remedy: str = "", **templates: Any) -> dict[str, Any]:
    where = self._directory / str(step)
    try:
      stored = self._manager.item_metadata(step)
      for item, template in templates.items():
        _check_fit(_named(template), dict(stored[item]), where)
      restored = self._manager.restore(
        step,
        args=ocp.args.Composite(
          **{
            item: ocp.args.StandardRestore(
              jax.tree.map(ocp.utils.to_shape_dtype_struct, _named(template))
            )
            for item, template in templates.items()
          },
          checksums=ocp.args.JsonRestore(),
        ),
      )
      saved = restored["checksums"]
      for item, own in _checksums(**{item: restored[item] for item in templates}).items():
        if wrong := [name for name, checksum in own.items() if saved[item][name] != checksum]:
          raise ValueError(f"it is damaged: the checksum of {', '.join(wrong[:5])} is wrong")
    except CheckpointError:
      raise
    except Exception as error:
      raise CheckpointError(f"can't read checkpoint {where}: {_reason(error)}{remedy}") from error
    return {item: _unnamed(restored[item], template) for item, template in templates.items()}

  def wait(self) -> None:
    """Waits until all saved states are on disk; a CheckpointError says that one isn't."""
    with self._told("can't write"):
      self._manager.wait_until_finished()

  def close(self) -> None:
    """Frees the manager's threads, once all saved states are on disk; see `wait`."""
    with self._told("can't write"):
      self._manager.close()


class _Reported:
  """A future of Orbax whose error, in the thread that waits for it, ends the run."""

  def __init__(self, future: Any, told: Callable[[str], contextlib.AbstractContextManager[None]]):
    self._future, self._told = future, told
    self.cancel = future.cancel

  def result(self, timeout: float | None = None) -> Any:
    """Waits for the end of the write."""
    try:
      with self._told("can't write"):
        return self._future.result(timeout)
    except CheckpointError as error:
      cluster.fail(error)


def _reason(error: Exception) -> str:
  """Returns the reason of an error, which TensorStore puts after the path of a file."""
  text = next(iter(str(error).splitlines()), type(error).__name__)
  system = [os.strerror(code) for code in (errno.ENOSPC, errno.EROFS)]
  return next((each for each in system if each in text), text[:200])


def _check_fit(wanted: dict[str, Any], stored: dict[str, Any], where: AnyPath) -> None:
  """Raises if the names or shapes of two dicts of arrays differ."""
  problems = [f"{name} missing" for name in wanted.keys() - stored.keys()]
  problems += [f"{name} left over" for name in stored.keys() - wanted.keys()]
  problems += [
    f"{name} is {list(stored[name].shape)}, not {list(array.shape)}"
    for name, array in wanted.items()
    if name in stored and tuple(stored[name].shape) != tuple(array.shape)
  ]
  if problems:
    raise CheckpointError(
      f"checkpoint {where} doesn't fit the network: " + "; ".join(sorted(problems)[:5])
    )
