"""KD from the large teacher, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_kd.py
python -m jaxkd.main --config=configs/cifar10_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_kd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.cifar10(arg, "cifar10_kd")
  config.rows = ("kd",)
  return config
