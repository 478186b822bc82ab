"""Knowledge distillation in JAX, for teachers of every capacity.

The public names are imported when they are first used. So `jaxkd.losses` and `jaxkd.metrics` work
with JAX and Optax alone; the others name the extra that they need.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from jaxkd.common import extras as _extras
from jaxkd.common import signals as _signals

if TYPE_CHECKING:
  from jaxkd import data as data
  from jaxkd import losses as losses
  from jaxkd import methods as methods
  from jaxkd import metrics as metrics
  from jaxkd import models as models
  from jaxkd.training.distill import distill as distill

__version__ = "0.1.0"

# The extra that each name needs.
_EXTRAS = {"data": "data", "distill": "train", "methods": "train", "models": "train"}

__all__ = ["__version__", "data", "distill", "losses", "methods", "metrics", "models"]

# `python -m jaxkd.COMMAND` imports this package before the command. The word before the arguments
# is the module; another module may import this package, too.
if sys.argv[:1] == ["-m"] and "jaxkd" in sys.orig_argv[-len(sys.argv)].split("."):
  _extras.report_missing_extras()
  _signals.end_at_once()


def __getattr__(name: str) -> Any:
  if name not in __all__:
    raise AttributeError(f"module 'jaxkd' has no attribute {name!r}")
  try:
    value = importlib.import_module(f"jaxkd.{'training.' if name == 'distill' else ''}{name}")
  except ModuleNotFoundError as error:
    if advice := _extras.advice(error, _EXTRAS.get(name, "")):
      raise ModuleNotFoundError(f"jaxkd.{name}: {advice}", name=error.name) from None
    raise
  globals()[name] = getattr(value, name) if name == "distill" else value
  return globals()[name]


def __dir__() -> list[str]:
  return __all__
