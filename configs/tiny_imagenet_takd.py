"""KD through an assistant, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_takd.py
python -m jaxkd.main --config=configs/tiny_imagenet_takd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_takd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 36.20, ShuffleNetV2 48.71,
MobileNetV2 52.44.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_takd")
  config.rows = ("takd",)
  return config
