"""Exported networks: weights, StableHLO or ONNX, with a description of input and origin."""

import json
import logging
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import jaxkd
from jaxkd.common import shell
from jaxkd.common.errors import FileError, UserError, explained
from jaxkd.common.files import StrPath, write_atomically
from jaxkd.models import weights
from jaxkd.runs import planning, predictor, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding

SUFFIXES = (".safetensors", ".stablehlo", ".onnx")
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""The devices that a StableHLO program runs on."""
_INPUT, _OUTPUT = "images", "logits"


def check_output(path: StrPath) -> None:
  """Raises a FileError if `write` can't write files of this suffix."""
  if pathlib.Path(path).suffix not in SUFFIXES:
    wanted = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
    raise FileError(f"can't write {path}: the name must end with {wanted}")


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
      "step": result.get("steps", max(folder.steps)) if step is None else step,
      "split": phase.split,
      "accuracy": result[phase.split]["accuracy"] if last and whole else None,
      "finished": result.get("finished") if last else None,
      "jaxkd": jaxkd.__version__,
    },
    "phase": phase.to_dict(),
  }


def write(folder: PhaseFolder, out: StrPath, step: int | None, about: Mapping[str, Any]) -> None:
  """Writes a phase's network; `about` is the result of `describe`.

  `.safetensors` has the weights under the names of the network's reference, for PyTorch. They take
  normalised images. The programs `.stablehlo` and `.onnx` take pixels `[B, S, S, channels]`, uint8,
  which they normalise themselves, and give logits `[B, C]`. A StableHLO file's description lies
  beside it as `<file>.json`; the other files contain it.
  """
  out = pathlib.Path(out)
  check_output(out)
  texts = {name: json.dumps(value) for name, value in about.items()}
  if out.suffix == ".safetensors":
    _, trained = teachers.load_network(folder, sharding.mesh(), step)
    model = planning.network(folder.phase)
    nnx.update(model, *trained)
    weights.write(out, weights.to_torch(model), texts)
    return
  made = predictor.of_phase(folder, step)
  if out.suffix == ".onnx":
    write_atomically(out, _onnx(made, texts))
    return
  write_atomically(out, _stablehlo(made))
  write_atomically(out.with_name(f"{out.name}.json"), json.dumps(about, indent=2) + "\n")


def _pixels(made: predictor.Predictor) -> jax.ShapeDtypeStruct:
  """Returns the input of a program, with any number of images."""
  (batch,) = jax.export.symbolic_shape("batch")
  size = made.spec.image_size
  return jax.ShapeDtypeStruct((batch, size, size, made.spec.channels), jnp.uint8)


def _stablehlo(made: predictor.Predictor) -> bytes:
  try:
    import flatbuffers  # noqa: F401
  except ImportError as error:
    raise FileError(f"StableHLO needs flatbuffers: {shell.install('stablehlo')}") from error
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
