"""Optional dependencies: a missing one is reported with the extra that installs it."""

import sys

from jaxkd.common import shell

# Packages that the extra `all` installs, by the name that is imported.
OPTIONAL = (
  *("PIL", "absl", "clu", "etils", "filelock", "flax", "grain", "importlib_resources"),
  *("matplotlib", "ml_collections", "orbax", "safetensors", "scipy", "sklearn"),
  *("tensorflow_datasets", "tqdm"),
)
# Packages with an extra of their own, for few users.
OWN_EXTRA = {
  **dict.fromkeys(("aiohttp", "fsspec", "gcsfs", "tensorstore"), "bucket"),
  "flatbuffers": "stablehlo",
  **dict.fromkeys(("jax2onnx", "onnx"), "onnx"),
  "pillow_heif": "heif",
  "tensorflow": "tensorflow",
  "torch": "torch",
}


def advice(error: BaseException, extra: str) -> str:
  """Returns how to install the package that a failed import lacks, '' for any other error.

  `extra` is the extra that the importing part of jaxkd needs.

  Examples:
    >>> advice(ModuleNotFoundError(name="flax.nnx"), "train")
    "flax is not installed: ...-m pip install 'jaxkd-distill[train]'"
  """
  name = error.name if isinstance(error, ModuleNotFoundError) else None
  package = (name or "").partition(".")[0]
  if package not in (*OPTIONAL, *OWN_EXTRA):
    return ""
  return f"{package} is not installed: {shell.install(OWN_EXTRA.get(package, extra))}"


def report_missing_extras() -> None:
  """Makes an uncaught failed import end the command with one line and status 2."""
  previous = sys.excepthook

  def hook(kind, error, trace):
    if text := advice(error, "all"):
      print(f"jaxkd: {text}", file=sys.stderr)
      raise SystemExit(2)
    previous(kind, error, trace)

  sys.excepthook = hook
