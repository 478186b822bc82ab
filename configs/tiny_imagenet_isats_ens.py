"""Two students by KD with instance-specific temperatures, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_isats_ens.py
python -m jaxkd.main --config=configs/tiny_imagenet_isats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_isats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 40.25, ShuffleNetV2 53.18,
MobileNetV2 58.78.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_isats_ens")
  config.rows = ("isats", "isats+ens")
  config.seeds = (0, 1)
  return config
