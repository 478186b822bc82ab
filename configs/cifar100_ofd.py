"""OFD: maps before their ReLU, down to a margin, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ofd.py
          python -m jaxkd.main --config=configs/cifar100_ofd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ofd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ofd", rows=("ofd",))
  # The authors' code and mdistiller: of the sum over a map, of the last stage.
  config.ofd.weight = 0.001
  return config
