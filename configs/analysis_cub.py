"""Which classes do two teachers have in common? On CUB-200-2011, Fig. 1 and 5.

python -m jaxkd.analyze --config=configs/analysis_cub.py
python -m jaxkd.analyze --config=configs/analysis_cub.py:runlocal

In the paper, of the three most probable classes 21.6 % of the examples have all
in common and 56.4 % two, of the eight most probable 69.4 % five or more.
"""

from jaxkd.analysis.recipes import analysis


def get_config(arg=None):
  return analysis("cub", arg, {"resnext": ("resnext50_32x4d", "resnext101_32x8d")})
