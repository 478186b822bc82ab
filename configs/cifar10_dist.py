"""DIST, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_dist.py
python -m jaxkd.main --config=configs/cifar10_dist.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_dist.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.cifar10(arg, "cifar10_dist")
  config.rows = ("dist",)
  return config
