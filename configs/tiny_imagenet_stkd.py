"""KD from the small teacher, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_stkd.py
python -m jaxkd.main --config=configs/tiny_imagenet_stkd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_stkd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 36.16, ShuffleNetV2 49.59,
MobileNetV2 52.93.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_stkd")
  config.rows = ("stkd",)
  return config
