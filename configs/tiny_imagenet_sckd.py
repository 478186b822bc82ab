"""KD where gradients agree, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_sckd.py
python -m jaxkd.main --config=configs/tiny_imagenet_sckd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_sckd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 36.16, ShuffleNetV2 48.76,
MobileNetV2 51.83.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_sckd")
  config.rows = ("sckd",)
  return config
