"""AT: attention maps, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_at.py
          python -m jaxkd.main --config=configs/cifar100_at.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_at.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_at", rows=("at",))
  config.at.weight = 1000.0  # the toolkits, for the same stages
  return config
