"""The methods: one file each, with its options, its objective, its phases and its search.

To add a method, add a file here or call `register` from a module of your own:

  from jaxkd import losses, methods

  @methods.register("mse")
  class MSE(methods.Method):
    weight: float = methods.option(1.0, "my choice", methods.NOT_NEGATIVE)

    def loss(self, view):
      gap = losses.fitnet(view.student.logits, view.teacher.logits)
      return methods.plus_cross_entropy(view, gap=self.weight * gap), {}
"""

import importlib
import pkgutil

from jaxkd.methods.base import (
  Method,
  Plan,
  Scalars,
  Terms,
  View,
  class_map,
  comparable,
  feature_map,
  features,
  hard_and_soft,
  map_pairs,
  plus_cross_entropy,
  soft_logits,
  warmup,
)
from jaxkd.methods.combined import Combined
from jaxkd.methods.options import FRACTION, NOT_NEGATIVE, POSITIVE, TEMPERATURE, Bound, option
from jaxkd.methods.registry import (
  all_methods,
  create,
  find,
  identity,
  list_methods,
  members,
  objective,
  of_identity,
  register,
  unregister,
)

# fmt: off
__all__ = [
  "FRACTION", "NOT_NEGATIVE", "POSITIVE", "TEMPERATURE", "Bound", "Combined", "Method", "Plan",
  "Scalars", "Terms", "View", "all_methods", "class_map", "comparable", "create", "feature_map",
  "features", "find", "hard_and_soft", "identity", "list_methods", "map_pairs", "members",
  "objective", "of_identity", "option", "plus_cross_entropy", "register", "soft_logits",
  "unregister", "warmup",
]
# fmt: on

# Every file of this folder registers its methods.
for _module in pkgutil.iter_modules(__path__):
  importlib.import_module(f"{__name__}.{_module.name}")
