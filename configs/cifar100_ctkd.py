"""CTKD: a learned temperature, from easy to hard, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ctkd.py
          python -m jaxkd.main --config=configs/cifar100_ctkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ctkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ctkd", rows=("ctkd",))
  config.ctkd.temperature = (
    "global"  # the authors' command for CIFAR-100; instance: of each example
  )
  config.ctkd.lam = 0.9  # the authors' command for CIFAR-100
  config.ctkd.low = 1.0  # the authors' code
  config.ctkd.span = 20.0  # the authors' code: temperatures up to 21
  config.ctkd.ramp = 10 / 240  # the authors' command for CIFAR-100: 10 of 240 epochs
  return config
