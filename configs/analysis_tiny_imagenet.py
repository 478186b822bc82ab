"""The most probable classes of two teachers, on TinyImageNet (Fig. 1 and 5).

python -m jaxkd.analyze --config=configs/analysis_tiny_imagenet.py
python -m jaxkd.analyze --config=configs/analysis_tiny_imagenet.py:runlocal
"""

from jaxkd.analysis.recipes import analysis


def get_config(arg=None):
  return analysis("tiny_imagenet", arg, {"wrn": ("wide_resnet26_2", "wide_resnet50_2")})
