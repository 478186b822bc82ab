"""KD with instance-specific asymmetric temperatures, on ImageNet.

python -m jaxkd.main --config=configs/imagenet_isats.py
python -m jaxkd.main --config=configs/imagenet_isats.py:student=resnet18
python -m jaxkd.main --config=configs/imagenet_isats.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.imagenet(arg, "imagenet_isats")
  config.rows = ("isats",)
  return config
