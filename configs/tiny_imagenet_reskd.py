"""KD and a residual student, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_reskd.py
python -m jaxkd.main --config=configs/tiny_imagenet_reskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_reskd.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 38.66, ShuffleNetV2 51.93,
MobileNetV2 57.32.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_reskd")
  config.rows = ("reskd",)
  return config
