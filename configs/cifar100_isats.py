"""ISATS on CIFAR-100: row KD+ISATS of Table 2.

python -m jaxkd.main --config=configs/cifar100_isats.py
python -m jaxkd.main --config=configs/cifar100_isats.py:student=shufflenet_v1
python -m jaxkd.main --config=configs/cifar100_isats.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.cifar100(arg, "cifar100_isats")
  config.rows = ("isats",)
  return config
