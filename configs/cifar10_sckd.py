"""KD where gradients agree, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_sckd.py
python -m jaxkd.main --config=configs/cifar10_sckd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_sckd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.cifar10(arg, "cifar10_sckd")
  config.rows = ("sckd",)
  return config
