"""How do angles of features change with capacity? On CIFAR-10.

python -m jaxkd.analyze --config=configs/analysis_cifar10.py
python -m jaxkd.analyze --config=configs/analysis_cifar10.py:series=resnext
python -m jaxkd.analyze --config=configs/analysis_cifar10.py:runlocal

`series=` is resnet (the default; Fig. 3, and of its ResNet-14 and ResNet-110
Fig. 1 and the ATS paper's Fig. 7: `teachers=resnet14+resnet110`), wrn or
resnext (Fig. 3, and Fig. 6, where Spearman's rho is mostly above 0.85).
"""

from jaxkd.analysis.recipes import CIFAR_SERIES, analysis


def get_config(arg=None):
  return analysis("cifar10", arg, CIFAR_SERIES)
