"""DeiT's hard distillation, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_deit.py
          python -m jaxkd.main --config=configs/cifar100_deit.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_deit.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_deit", rows=("deit",))
  config.deit.lam = 0.5  # the paper, Eq. 3
  return config
