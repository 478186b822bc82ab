"""Distances between features against capacity, on MNIST (Fig. 2 and 4).

python -m jaxkd.analyze --config=configs/analysis_mnist.py
python -m jaxkd.analyze --config=configs/analysis_mnist.py:epochs=20

MLPs of 0.1 to 0.9 million parameters with features of two dimensions; as the
paper says, their last layer has no bias, and there is no ReLU on the features.
"""

from jaxkd.analysis.recipes import analysis
from jaxkd.models import mlp

_PARAMETERS = ("100k", "300k", "500k", "600k", "900k")


def get_config(arg=None):
  networks = {
    f"mlp_{parameters}": ("mlp", {"depth": depth, "width": width})
    for parameters, (depth, width) in zip(_PARAMETERS, mlp.SERIES, strict=True)
  }
  return analysis("mnist", arg, {"mlp": networks}, feature_dim=2)
