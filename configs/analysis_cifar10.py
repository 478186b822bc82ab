"""Angles between features against capacity, on CIFAR-10.

python -m jaxkd.analyze --config=configs/analysis_cifar10.py
python -m jaxkd.analyze --config=configs/analysis_cifar10.py:series=resnext
python -m jaxkd.analyze --config=configs/analysis_cifar10.py:runlocal

`series=` is resnet (the default; Fig. 3), wrn or resnext (Fig. 3 and 6; in Fig. 6
Spearman's rho is mostly above 0.85). `teachers=resnet14+resnet110` has the
teachers of Fig. 1 and of the ATS paper's Fig. 7.
"""

from jaxkd.analysis.recipes import CIFAR_SERIES, analysis


def get_config(arg=None):
  return analysis("cifar10", arg, CIFAR_SERIES)
