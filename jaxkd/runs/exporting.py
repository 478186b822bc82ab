"""Exported networks: weights, StableHLO or ONNX, with a description of input and origin."""

import contextlib
import json
import logging
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import jaxkd
from jaxkd.common import shell
from jaxkd.common.errors import FileError, UserError, explained
from jaxkd.common.files import StrPath, check_target, read
from jaxkd.models import weights
from jaxkd.runs import planning, predictor, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding

SUFFIXES = (".safetensors", ".stablehlo", ".onnx")
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""The devices that a StableHLO program runs on."""
_INPUT, _OUTPUT = "images", "logits"


def check_output(path: StrPath) -> None:
  """Raises a FileError if an export can't be written, or would replace a file of another kind."""
  path = pathlib.Path(path)
  if path.suffix not in SUFFIXES:
    wanted = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
    raise FileError(f"can't write {path}: the name must end with {wanted}")
  check_target(path, "jaxkd export", _is_own)
  if path.suffix == ".stablehlo":
    check_target(predictor.description(path), "jaxkd export", _is_own)


def _is_own(path: pathlib.Path) -> bool:
  """Returns whether an existing file is an export, or the description of one."""
  if path.suffix == ".stablehlo":
    path = predictor.description(path)
  try:
    if path.suffix == ".safetensors":
      return "provenance" in weights.metadata(path)
    # An ONNX file contains the description.
    return b"provenance" in read(path)
  except FileError:
    return False


def describe(
  folder: PhaseFolder, step: int | None = None, *, weights_alone: bool = False
) -> dict[str, Any]:
  """Returns classes, input, network and provenance of a phase's network, for JSON.

  `phase` has all that identifies the phase. The accuracy is None for a step before the last, and
  for weights alone of a network that predicts together with its teachers.
  """
  phase, spec = folder.phase, planning.spec_of(folder.phase)
  result = folder.result() if folder.finished else {}
  last = bool(result) and step in (None, result["steps"])
  whole = not (weights_alone and planning.objective_of(phase).predicts_with_teachers)
  at = result.get("steps", max(folder.steps)) if step is None else step
  return {
    "class_names": list(predictor.class_names(folder)),
    "input": {
      "size": spec.image_size,
      "channels": spec.channels,
      "resize_shorter_side": spec.resize or None,
      "crop": "center" if spec.resize else None,
      "scale": 1 / 255,
      "mean": list(spec.mean),
      "std": list(spec.std),
      "network_size": planning.input_size(phase),
    },
    "network": {name: phase.network[name] for name in ("name", "options", "dtype")},
    "provenance": {
      "phase": phase.folder,
      "data": phase.data["name"],
      "data_content": phase.data["content"],
      "examples": {name: result.get(name, {}).get("examples") for name in ("train", phase.split)},
      "method": phase.objective["name"],
      "teachers": [teacher.folder for teacher in phase.teachers],
      "epochs": phase.epochs,
      "seed": phase.seed,
      "step": at,
      "split": phase.split,
      "accuracy": result[phase.split]["accuracy"] if last and whole else None,
      "finished": result.get("finished") if last else None,
      "unfinished": None if last else f"step {at}{_of_all(folder)}",
      "residual": not whole,
      "jaxkd": jaxkd.__version__,
    },
    "phase": phase.to_dict(),
  }


def _of_all(folder: PhaseFolder) -> str:
  """Returns ' of N' with the steps of a whole training; '' before its first evaluation."""
  if folder.finished:
    return f" of {folder.result()['steps']}"
  with contextlib.suppress(FileError):
    line = folder.logged()[-1]
    if line["epoch"]:
      return f" of {round(folder.phase.epochs * line['step'] / line['epoch'])}"
  return ""


def contents(
  folder: PhaseFolder, out: StrPath, step: int | None, about: Mapping[str, Any]
) -> dict[pathlib.Path, str | bytes]:
  """Returns the files of a phase's network, `out` last; `about` is the result of `describe`.

  `.safetensors` has the weights under the names of the network's reference, for PyTorch. They take
  normalised images. The programs `.stablehlo` and `.onnx` take pixels `[B, S, S, channels]`, uint8,
  which they normalise themselves, and give logits `[B, C]`. A StableHLO file's description lies
  beside it as `<file>.json`, with the program's CRC-32; the other files contain it.
  """
  out = pathlib.Path(out)
  texts = {name: json.dumps(value) for name, value in about.items()}
  if out.suffix == ".safetensors":
    _, trained = teachers.load_network(folder, sharding.mesh(), step)
    model = planning.network(folder.phase)
    nnx.update(model, *trained)
    tensors = weights.to_torch(model)
    texts[predictor.CHECKSUM] = json.dumps(weights.checksum(tensors))
    return {out: weights.content(tensors, texts)}
  made = predictor.of_phase(folder, step)
  if out.suffix == ".onnx":
    return {out: _onnx(made, texts)}
  program = _stablehlo(made)
  fields = {**about, predictor.CHECKSUM: zlib.crc32(program)}
  return {predictor.description(out): json.dumps(fields, indent=2) + "\n", out: program}


def _pixels(made: predictor.Predictor) -> jax.ShapeDtypeStruct:
  """Returns the input of a program, with any number of images."""
  (batch,) = jax.export.symbolic_shape("batch")
  size = made.spec.image_size
  return jax.ShapeDtypeStruct((batch, size, size, made.spec.channels), jnp.uint8)


def _stablehlo(made: predictor.Predictor) -> bytes:
  predictor.require_flatbuffers()
  with explained(UserError, "the network can't be exported for any number of images"):
    program = jax.export.export(jax.jit(made.logits), platforms=PLATFORMS)(_pixels(made))
  return bytes(program.serialize())


def _onnx(made: predictor.Predictor, texts: Mapping[str, str]) -> bytes:
  try:
    import jax2onnx
    import onnx
  except ImportError as error:
    raise FileError(f"ONNX needs jax2onnx: {shell.install('onnx')}") from error
  # It tells of every shape that it leaves out.
  logging.getLogger("onnx_ir").setLevel(logging.ERROR)
  with explained(UserError, "the network can't be exported to ONNX"):
    model = jax2onnx.to_onnx(
      made.logits, [_pixels(made)], input_names=[_INPUT], output_names=[_OUTPUT]
    )
  onnx.helper.set_model_props(model, dict(texts))
  return model.SerializeToString()
