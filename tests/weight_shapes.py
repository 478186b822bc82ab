"""The shapes of a network's weights under its reference's names."""

from jaxkd.models import weights


def torch_shapes(model):
  """Returns the names and shapes that `weights.from_torch` expects; the model may be abstract."""
  return {name: shape for _, name, _, _, shape in weights._variables(model, model.reference_name)}
