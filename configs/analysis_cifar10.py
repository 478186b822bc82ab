"""Angles between features against capacity, on CIFAR-10.

python -m jaxkd.analyze --config=configs/analysis_cifar10.py
python -m jaxkd.analyze --config=configs/analysis_cifar10.py:series=resnext
python -m jaxkd.analyze --config=configs/analysis_cifar10.py:runlocal

`series=` is resnet (the default; Fig. 3), wrn or resnext (Fig. 3 and 6; in Fig. 6
Spearman's rho is mostly above 0.85). `teachers=resnet14+resnet110` has the
teachers of Fig. 1 and of the ATS paper's Fig. 7.

Networks that others trained are compared by `--weights=NETWORK=FILE`. ResNet-20
and ResNet-56 as published in akamaster/pytorch_resnet_cifar10 (resnet20_a and
resnet56_a here; four minutes on two CPU cores with 10,000 training images,
config.analysis.examples=10000):

  test accuracy                      91.73    93.39   as published
  v(q), tau 4, mean               7.78e-4  2.96e-4
  v(q), tau 4, median             9.53e-5  4.58e-5
  tau* = 8, the edge of the grid     74 %     84 %
  wrong class on top, ATS 5/3       9.1 %    2.0 %   0.2 % and 0 % at tau 4

Observation 1 holds, on 57 % of the single images. Observation 2 does not at the
paper's level: Spearman's rho is 0.75, the paper's is mostly above 0.85.
"""

from jaxkd.analysis.recipes import CIFAR_SERIES, analysis


def get_config(arg=None):
  return analysis("cifar10", arg, CIFAR_SERIES)
