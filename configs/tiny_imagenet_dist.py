"""DIST, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_dist.py
python -m jaxkd.main --config=configs/tiny_imagenet_dist.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_dist.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 35.95, ShuffleNetV2 45.75,
MobileNetV2 50.56.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_dist")
  config.rows = ("dist",)
  return config
