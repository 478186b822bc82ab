"""KD with instance-specific asymmetric temperatures, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_isats.py
python -m jaxkd.main --config=configs/tiny_imagenet_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_isats.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 37.15, ShuffleNetV2 49.61,
MobileNetV2 55.49.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_isats")
  config.rows = ("isats",)
  return config
