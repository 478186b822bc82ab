"""Distinctness of wrong-class probabilities against capacity, on Stanford Dogs (Fig. 1).

python -m jaxkd.analyze --config=configs/analysis_dogs.py
python -m jaxkd.analyze --config=configs/analysis_dogs.py:runlocal
"""

from jaxkd.analysis.recipes import analysis


def get_config(arg=None):
  return analysis("dogs", arg, {"resnext": ("resnext50_32x4d", "resnext101_32x8d")})
