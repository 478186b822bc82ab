"""SP: similarities of examples in the last stage, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_sp.py
          python -m jaxkd.main --config=configs/cifar100_sp.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_sp.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_sp", rows=("sp",))
  config.sp.weight = 3000.0  # the toolkits
  return config
