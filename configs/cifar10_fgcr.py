"""KD with fused global class relations, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_fgcr.py
python -m jaxkd.main --config=configs/cifar10_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_fgcr.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.cifar10(arg, "cifar10_fgcr")
  config.rows = ("fgcr",)
  return config
