"""The most probable classes of two teachers, on CUB-200-2011 (Fig. 1 and 5).

python -m jaxkd.analyze --config=configs/analysis_cub.py
python -m jaxkd.analyze --config=configs/analysis_cub.py:runlocal

In the paper, two teachers agree on all of their three most probable classes for
21.6 % of the examples, and on two of them for 56.4 %. Of the eight most probable
they share five or more for 69.4 %.
"""

from jaxkd.analysis.recipes import analysis


def get_config(arg=None):
  return analysis("cub", arg, {"resnext": ("resnext50_32x4d", "resnext101_32x8d")})
