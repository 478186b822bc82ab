"""Evaluations of a training run on disk: metrics.jsonl, parameters.txt, TensorBoard."""

import importlib.util
import json
import os
import pathlib
from collections.abc import Mapping

import jax
from clu import parameter_overview
from flax import nnx

from jaxkd.common.errors import FileError, explained
from jaxkd.common.files import write_atomically


class Writer:
  """Writes the evaluations of a training run into its folder, from the first process.

  `parameters.txt` lists the network's parameters. Evaluations go to `metrics.jsonl` and, where
  TensorFlow is installed, to TensorBoard. Lines of steps after `step`, from which the run resumes,
  are dropped: they are written again. `lines` are those that stayed, and all that were added.
  """

  def __init__(self, folder: pathlib.Path, step: int, params: nnx.State):
    self._writes = jax.process_index() == 0
    self._board = None
    self.lines: list[dict[str, float]] = []
    if not self._writes:
      return
    pure = nnx.to_pure_dict(params)
    overview = parameter_overview.get_parameter_overview(pure, include_stats=False)
    write_atomically(folder / "parameters.txt", overview)
    self._path = folder / "metrics.jsonl"
    if self._path.exists():
      lines = self._path.read_text().splitlines()
      # A killed process may have left half a line.
      found = [json.loads(line) for line in lines if line.endswith("}")]
      # A run that starts anew writes the line of step 0, too.
      self.lines = [line for line in found if line["step"] <= step] if step else []
      write_atomically(self._path, "".join(json.dumps(line) + "\n" for line in self.lines))
    # clu's writers import both, which are an extra.
    if all(map(importlib.util.find_spec, ("tensorflow", "tensorboard"))):
      from clu import metric_writers

      self._board = metric_writers.SummaryWriter(str(folder / "tensorboard"))

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Appends one evaluation and syncs it to disk, or raises a FileError."""
    line = {"step": step, **scalars}
    self.lines.append(line)
    if not self._writes:
      return
    with explained(FileError, f"can't write {self._path}", OSError), open(self._path, "a") as file:
      file.write(json.dumps(line) + "\n")
      file.flush()
      os.fsync(file.fileno())
    if self._board:
      self._board.write_scalars(step, scalars)
      self._board.flush()

  def close(self) -> None:
    """Ends TensorBoard's file."""
    if self._board:
      self._board.close()
