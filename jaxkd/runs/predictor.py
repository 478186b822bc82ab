"""Finished networks as functions from images to logits: of a phase, or of an exported file."""

import concurrent.futures
import json
import pathlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxkd import data, losses
from jaxkd.common import shell
from jaxkd.common.cores import cores
from jaxkd.common.errors import FileError, UserError, explained
from jaxkd.common.files import StrPath
from jaxkd.common.files import read as read_file
from jaxkd.data import folder as image_folder
from jaxkd.models import weights
from jaxkd.runs import planning, teachers
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import compilation, sharding
from jaxkd.training.step import Frozen, functional

CHECKSUM = "checksum"
"""Key of the checksum of an exported file's weights or program in its description."""

_BATCH = 64  # images that are decoded and classified together


class Predictor(NamedTuple):
  """A network with its normalisation and the names of its classes."""

  spec: data.Spec
  class_names: tuple[str, ...]
  logits: Callable[[jax.Array], jax.Array]
  """From pixels `[B, image_size, image_size, channels]`, uint8, to logits `[B, C]`, float32."""


def of_phase(folder: PhaseFolder, step: int | None = None) -> Predictor:
  """Returns a phase's network, by default of its newest step, as its method evaluates it."""
  spec, mesh = planning.spec_of(folder.phase), sharding.mesh()
  network, variables = teachers.load_network(folder, mesh, step)
  networks, arrays = [Frozen(network, spec)], [jax.device_get(variables)]
  names = class_names(folder)
  objective = planning.objective_of(folder.phase)
  if objective.predicts_with_teachers:
    for phase in folder.phase.teachers:
      own = PhaseFolder.open(folder.path.parent / phase.folder)
      network, variables = teachers.load_network(own, mesh)
      order = teachers.class_order(own, spec, names or None)
      networks.append(Frozen(network, planning.spec_of(phase), order))
      arrays.append(jax.device_get(variables))

  def logits(pixels: jax.Array) -> jax.Array:
    pairs = zip(networks, arrays, strict=True)
    student, *others = (frozen.apply(variables, pixels) for frozen, variables in pairs)
    return objective.predict(student, tuple(others))

  return Predictor(spec, names, logits)


def class_names(folder: PhaseFolder) -> tuple[str, ...]:
  """Returns the names of a phase's classes; () if they are not known before it is finished."""
  names = folder.result().get("class_names") if folder.finished else None
  return tuple(names or folder.phase.data.get("class_names") or ())


def open_file(path: StrPath) -> Predictor:
  """Returns the network of a `.safetensors` or a `.stablehlo` file of `jaxkd.export`.

  Raises:
    FileError: it is no such file.
  """
  path = pathlib.Path(path)
  if path.suffix == ".stablehlo":
    return _of_program(path)
  if path.suffix != ".safetensors":
    wanted = "the folder of a phase, or a .safetensors or .stablehlo file of jaxkd export"
    raise FileError(f"{path} must be {wanted}")
  texts = weights.metadata(path)
  if "phase" not in texts:
    raise FileError(f"{path} was not written by jaxkd export, or by an earlier version")
  damaged = f"the metadata of {path} are damaged"
  with explained(FileError, damaged):
    phase = Phase.from_dict(json.loads(texts["phase"]))
    names = tuple(json.loads(texts["class_names"]))
    own = _own_part(phase)
  if own:
    # A file must not choose which module is imported.
    raise FileError(
      f"{path} has the user's own {own}: export it to .stablehlo, or classify with the folder of "
      "its phase"
    )
  with explained(FileError, damaged):
    spec, objective = planning.spec_of(phase), planning.objective_of(phase)
  if objective.predicts_with_teachers:
    raise FileError(f"{path} predicts with its teachers: classify with the folder of its phase")
  model, tensors = planning.network(phase), weights.read(path)
  if texts.get(CHECKSUM) != json.dumps(weights.checksum(tensors)):
    raise FileError(f"the checksum of the weights in {path} is wrong or missing; export it again")
  nnx.update(model, *weights.from_torch(model, tensors, exact=True))
  network, variables = functional(model)
  frozen = Frozen(network, spec)
  return Predictor(
    spec, names, lambda pixels: objective.predict(frozen.apply(variables, pixels), ())
  )


def _own_part(phase: Phase) -> str:
  """Returns the part of a phase's network that a user's module defines; '' if there is none."""
  parts = [("network", phase.network), ("method", phase.objective)]
  if "composed_by" in phase.network:
    parts += [("teacher", teacher.network) for teacher in phase.teachers]
  return next((f"{part} {own['name']!r}" for part, own in parts if ":" in own["name"]), "")


def description(path: pathlib.Path) -> pathlib.Path:
  """Returns the file that describes a StableHLO program."""
  return path.with_name(f"{path.name}.json")


def require_flatbuffers() -> None:
  """Raises a FileError without the package that JAX reads and writes StableHLO programs with."""
  try:
    import flatbuffers  # noqa: F401
  except ImportError as error:
    raise FileError(f"StableHLO needs flatbuffers: {shell.install('stablehlo')}") from error


def _of_program(path: pathlib.Path) -> Predictor:
  """Returns the network of a StableHLO program, which needs no code of the network."""
  described = description(path)
  content, text = read_file(path), read_file(described)
  with explained(FileError, f"{described} is damaged"):
    fields = json.loads(text)
    spec = planning.spec_of(Phase.from_dict(fields["phase"]))
    names = tuple(fields["class_names"])
  if fields.get(CHECKSUM) != zlib.crc32(content):
    raise FileError(
      f"{path} is damaged, or {described} belongs to another program; export it again"
    )
  require_flatbuffers()
  try:
    program = jax.export.deserialize(bytearray(content))
  except Exception as error:
    # The reader of flatbuffers raises anything.
    raise FileError(f"{path} is damaged or no program of jaxkd export") from error
  return Predictor(spec, names, program.call)


class Prediction(NamedTuple):
  """The most probable classes of an image, or the reason why it can't be read."""

  file: pathlib.Path
  classes: Sequence[tuple[str, float]] = ()  # names and probabilities, the highest first
  error: UserError | None = None


def classify(predictor: Predictor, files: Sequence[pathlib.Path], top: int) -> Iterator[Prediction]:
  """Yields a prediction for each file, with the decoding, crop and normalisation of evaluation."""
  spec = predictor.spec
  names = predictor.class_names or tuple(map(str, range(spec.num_classes)))

  @compilation.jit
  def probabilities(pixels: jax.Array) -> jax.Array:
    return losses.softmax(predictor.logits(data.center_crop(pixels, spec)))

  def decoded(file: pathlib.Path) -> np.ndarray | data.DataError:
    try:
      return image_folder.decode(file, spec)[0]
    except data.DataError as error:
      return error

  size = min(_BATCH, len(files))
  with concurrent.futures.ThreadPoolExecutor(len(cores())) as threads:
    for start in range(0, len(files), size):
      chunk = files[start : start + size]
      read = [*threads.map(decoded, chunk)]
      images = [image for image in read if isinstance(image, np.ndarray)]
      found: Iterator[np.ndarray] = iter(())
      if images:
        # All batches have one shape, for one compilation.
        images += [images[0]] * (size - len(images))
        found = iter(np.asarray(probabilities(jnp.asarray(np.stack(images)))))
      for file, image in zip(chunk, read, strict=True):
        if isinstance(image, data.DataError):
          yield Prediction(file, error=image)
          continue
        probs = next(found)
        best = np.argsort(-probs, kind="stable")[:top]
        yield Prediction(file, [(names[label], float(probs[label])) for label in best])
