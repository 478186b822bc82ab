"""KD on CIFAR-100: rows NoKD and KD of Table 2.

python -m jaxkd.main --config=configs/cifar100_kd.py
python -m jaxkd.main --config=configs/cifar100_kd.py:student=shufflenet_v1
python -m jaxkd.main --config=configs/cifar100_kd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.cifar100(arg, "cifar100_kd")
  config.rows = ("nokd", "kd")
  return config
