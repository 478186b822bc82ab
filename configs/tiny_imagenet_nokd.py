"""The student alone, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_nokd.py
python -m jaxkd.main --config=configs/tiny_imagenet_nokd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_nokd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 34.62, ShuffleNetV2 45.79,
MobileNetV2 52.03.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_nokd")
  config.rows = ("nokd",)
  return config
