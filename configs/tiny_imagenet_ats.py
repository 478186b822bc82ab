"""KD with asymmetric temperatures, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_ats.py
python -m jaxkd.main --config=configs/tiny_imagenet_ats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_ats.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 37.42, ShuffleNetV2 50.03,
MobileNetV2 54.11.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_ats")
  config.rows = ("ats",)
  return config
