"""CAT-KD: class activation maps, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_catkd.py
          python -m jaxkd.main --config=configs/cifar100_catkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_catkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_catkd", rows=("catkd",))
  config.catkd.weight = 400.0  # the authors' code; 0.7 to 600 for their pairs
  config.catkd.resolution = 2  # the authors' code; 4 for ShuffleNets there
  config.catkd.normalize = True  # the authors' code; False for their pairs within a family
  return config
