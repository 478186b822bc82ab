"""KD from a regularised teacher, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_regt.py
python -m jaxkd.main --config=configs/tiny_imagenet_regt.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_regt.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 36.66, ShuffleNetV2 48.48,
MobileNetV2 53.31.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_regt")
  config.rows = ("regt",)
  return config
