"""KD from the large teacher, on ImageNet.

python -m jaxkd.main --config=configs/imagenet_kd.py
python -m jaxkd.main --config=configs/imagenet_kd.py:student=resnet18
python -m jaxkd.main --config=configs/imagenet_kd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.imagenet(arg, "imagenet_kd")
  config.rows = ("kd",)
  return config
