"""Checkpoints on Orbax: atomic, asynchronous, on any number of devices.

A checkpoint has two items: `network`, the variables that a later phase loads, and `training`, the
rest of the state. Arrays are named by their paths, so that a message can name an unfit array.
"""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxkd.common.errors import UserError
from jaxkd.common.files import StrPath
from jaxkd.training.step import TrainState, Variables


class CheckpointError(UserError):
  """A checkpoint can't be written or read; the message is one line."""


def _named(tree: Any) -> dict[str, Any]:
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _unnamed(named: dict[str, Any], template: Any) -> Any:
  leaves = [named[name] for name in _named(template)]
  return jax.tree.unflatten(jax.tree.structure(template), leaves)


class Checkpoints:
  """The checkpoints of one phase. The newest `keep` are kept; None is for reading."""

  def __init__(self, directory: StrPath, keep: int | None):
    self._directory = pathlib.Path(directory).absolute()
    options = ocp.CheckpointManagerOptions(
      max_to_keep=keep,
      create=keep is not None,
      cleanup_tmp_directories=keep is not None,
      # Each student of a cohort has its own manager.
      multiprocessing_options=ocp.options.MultiprocessingOptions(
        barrier_sync_key_prefix=self._directory.parent.name
      ),
    )
    handlers = {item: ocp.StandardCheckpointHandler() for item in ("network", "training")}
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

  @property
  def latest_step(self) -> int | None:
    """Step of the newest complete checkpoint; None if there is none."""
    return self._manager.latest_step()

  def save(self, state: TrainState) -> None:
    """Starts to write a state; returns when the devices may continue.

    A CheckpointError says that this or an earlier state could not be written.
    """
    training = state._asdict()
    network = training.pop("variables")
    with self._told("can't write"):
      self._manager.save(
        int(state.step),
        args=ocp.args.Composite(
          network=ocp.args.StandardSave(_named(network)),
          training=ocp.args.StandardSave(_named(training)),
        ),
      )

  def restore(self, template: TrainState, step: int) -> TrainState:
    """Reads the state of a step, to resume from there, and deletes newer checkpoints.

    The template has arrays, or abstract arrays, of the shapes, types and shardings to restore. A
    CheckpointError says that the checkpoint can't be read, or doesn't fit.
    """
    training = template._asdict()
    restored = self._restore(
      step,
      "move it away to resume from the one before",
      network=training.pop("variables"),
      training=training,
    )
    self.forget_after(step)
    return TrainState(variables=restored["network"], **restored["training"])

  def forget_after(self, step: int) -> None:
    """Deletes newer checkpoints, which would keep Orbax from saving older steps again."""
    for newer in self._manager.all_steps():
      if newer > step:
        self._manager.delete(newer)

  def restore_network(self, template: Variables, step: int | None = None) -> Variables:
    """Reads the network of a step, by default the newest; see `restore`.

    Raises:
      CheckpointError: there is none, it can't be read, or doesn't fit.
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
    remedy = f"move {self._directory.parent} away to train it again"
    return self._restore(step, remedy, network=template)["network"]

  def _restore(self, step: int, remedy: str, **templates: Any) -> dict[str, Any]:
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
          }
        ),
      )
    except CheckpointError:
      raise
    except Exception as error:
      raise CheckpointError(f"can't read checkpoint {where}: {_reason(error)}; {remedy}") from error
    return {item: _unnamed(restored[item], template) for item, template in templates.items()}

  def wait(self) -> None:
    """Waits until all saved states are on disk; a CheckpointError says that one isn't."""
    with self._told("can't write"):
      self._manager.wait_until_finished()

  def close(self) -> None:
    """Frees the manager's threads, once all saved states are on disk; see `wait`."""
    with self._told("can't write"):
      self._manager.close()


def _reason(error: Exception) -> str:
  """Returns the reason of an error, which TensorStore puts after the path of a file."""
  text = next(iter(str(error).splitlines()), type(error).__name__)
  system = [os.strerror(code) for code in (errno.ENOSPC, errno.EROFS)]
  return next((each for each in system if each in text), text[:200])


def _check_fit(wanted: dict[str, Any], stored: dict[str, Any], where: pathlib.Path) -> None:
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
