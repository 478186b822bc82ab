"""Do larger teachers give less distinct labels? On Stanford Dogs, Fig. 1.

python -m jaxkd.analyze --config=configs/analysis_dogs.py
python -m jaxkd.analyze --config=configs/analysis_dogs.py:runlocal
"""

from configs import common


def get_config(arg=None):
  return common.analysis(
    arg, "dogs", {"resnext": ("resnext50_32x4d", "resnext101_32x8d")}
  )
