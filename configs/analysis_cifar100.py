"""Do larger teachers give less distinct labels? On CIFAR-100.

python -m jaxkd.analyze --config=configs/analysis_cifar100.py
python -m jaxkd.analyze --config=configs/analysis_cifar100.py:teacher=wrn28_3
python -m jaxkd.analyze --config=configs/analysis_cifar100.py:runlocal

The teachers are those of a series up to `teacher=`, trained by the authors'
recipe. Fig. 8 and the ATS paper's Fig. 3 appear once the store has students of
some of them, its Fig. 10 with students of the largest under ATS:
python -m jaxkd.main --config=configs/analysis_cifar100.py:teacher=resnet20
python -m jaxkd.main --config=configs/analysis_cifar100.py --config.rows=ats \
  --config.ats.tau1=5.0
"""

from configs import common
from jaxkd.analysis import trained

_SERIES = (
  [f"resnet{depth}" for depth in (8, 14, 20, 32, 44, 56, 110)],
  [f"wrn28_{width}" for width in (1, 2, 3, 4, 8)],
  [f"resnext29_{groups}x4d" for groups in (4, 8, 16, 32, 64)],
  [f"vgg{depth}" for depth in (8, 11, 13, 16, 19)],
)


def get_config(arg=None):
  config = common.cifar100(arg, "analysis_cifar100")
  config.rows = ("nokd", "kd", "ats", "isats")
  largest = config.teacher.name
  for series in _SERIES:
    if largest in series:
      names = series[: series.index(largest) + 1]
      trained.add_teachers(config, {name: (name, {}) for name in names})
  return config
