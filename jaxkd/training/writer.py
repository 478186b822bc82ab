"""Evaluations of a training run on disk: metrics.jsonl, parameters.txt, TensorBoard."""

import importlib.util
from collections.abc import Mapping

import jax
from clu import parameter_overview
from flax import nnx

from jaxkd.common.buckets import AnyPath
from jaxkd.common.console import silence_tensorflow, tell
from jaxkd.common.files import (
  append_json_line,
  exists,
  read_json_lines,
  write_atomically,
  write_json,
  write_json_lines,
)
from jaxkd.training.classes import EVALUATION, Evaluation


class Writer:
  """Writes the evaluations of a training run into its folder, from the first process.

  `parameters.txt` lists the network's parameters. Evaluations go to `metrics.jsonl` and, where
  TensorFlow is installed, to TensorBoard. Lines of steps after `step`, from which the run resumes,
  are dropped: they are written again. `lines` are those that stayed, and all that were added.
  """

  def __init__(self, folder: AnyPath, step: int, params: nnx.State):
    self._writes = jax.process_index() == 0
    self._folder, self._board = folder, None
    self.lines: list[dict[str, float]] = []
    if not self._writes:
      return
    pure = nnx.to_pure_dict(params)
    overview = parameter_overview.get_parameter_overview(pure, include_stats=False)
    write_atomically(folder / "parameters.txt", overview)
    self._path = folder / "metrics.jsonl"
    if exists(self._path):
      found, damaged = read_json_lines(self._path)
      # A killed process may have left half a line.
      if damaged:
        tell(f"jaxkd: {self._path}: dropped {damaged} damaged of {damaged + len(found)} lines")
      # A run that starts anew writes the line of step 0, too.
      self.lines = [line for line in found if line["step"] <= step] if step else []
      write_json_lines(self._path, self.lines)
    # clu's writers import both, which are an extra.
    if all(map(importlib.util.find_spec, ("tensorflow", "tensorboard"))):
      silence_tensorflow()
      from clu import metric_writers

      self._board = metric_writers.SummaryWriter(str(folder / "tensorboard"))

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Appends one evaluation and syncs it to disk, or raises a FileError."""
    line = {"step": step, **scalars}
    self.lines.append(line)
    if not self._writes:
      return
    append_json_line(self._path, line)
    if self._board:
      self._board.write_scalars(step, scalars)
      self._board.flush()

  def write_classes(self, evaluation: Evaluation) -> None:
    """Writes the evaluation of the trained network class by class, or raises a FileError."""
    if self._writes:
      write_json(self._folder / EVALUATION, evaluation.to_dict())

  def close(self) -> None:
    """Ends TensorBoard's file."""
    if self._board:
      self._board.close()
