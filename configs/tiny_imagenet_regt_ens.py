"""Two students by KD from a regularised teacher, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_regt_ens.py
python -m jaxkd.main --config=configs/tiny_imagenet_regt_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_regt_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 39.37, ShuffleNetV2 53.78,
MobileNetV2 57.35.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_regt_ens")
  config.rows = ("regt", "regt+ens")
  config.seeds = (0, 1)
  return config
