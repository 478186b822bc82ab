"""KD with fused global class relations, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_fgcr.py
python -m jaxkd.main --config=configs/tiny_imagenet_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_fgcr.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 35.70, ShuffleNetV2 48.35,
MobileNetV2 53.25.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_fgcr")
  config.rows = ("fgcr",)
  return config
