"""KD from an early-stopped teacher, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_eskd.py
python -m jaxkd.main --config=configs/tiny_imagenet_eskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_eskd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 34.97, ShuffleNetV2 48.34,
MobileNetV2 52.15.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_eskd")
  config.rows = ("eskd",)
  return config
