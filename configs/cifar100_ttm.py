"""TTM: the teacher's probabilities to a power, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ttm.py
          python -m jaxkd.main --config=configs/cifar100_ttm.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ttm.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ttm", rows=("ttm",))
  config.ttm.gamma = 0.1  # the authors' code, VGG13 to VGG8
  config.ttm.beta = 45.0  # the authors' code, VGG13 to VGG8
  return config
