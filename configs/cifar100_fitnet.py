"""FitNet: the features of a stage, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_fitnet.py
          python -m jaxkd.main --config=configs/cifar100_fitnet.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_fitnet.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_fitnet", rows=("fitnet",))
  config.fitnet.weight = 100.0  # the toolkits
  config.fitnet.stage = 1  # counted from 0; the toolkits' hint layer 2, where the stem is 0
  return config
