"""KD from the large teacher, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_kd.py
python -m jaxkd.main --config=configs/tiny_imagenet_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_kd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 35.83, ShuffleNetV2 48.48,
MobileNetV2 52.33.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_kd")
  config.rows = ("kd",)
  return config
