"""WTTM: the teacher's probabilities to a power, weighted, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_wttm.py
          python -m jaxkd.main --config=configs/cifar100_wttm.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_wttm.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_wttm", rows=("wttm",))
  config.wttm.gamma = 0.1  # the original for 6 of 13 pairs; 0.2 to 0.4 for the others
  config.wttm.beta = 2.25  # the original for VGG13 to VGG8; 1.4 to 16 for the other pairs
  return config
