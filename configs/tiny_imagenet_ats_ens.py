"""Two students by KD with asymmetric temperatures, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_ats_ens.py
python -m jaxkd.main --config=configs/tiny_imagenet_ats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_ats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 40.42, ShuffleNetV2 52.14,
MobileNetV2 58.47.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_ats_ens")
  config.rows = ("ats", "ats+ens")
  config.seeds = (0, 1)
  return config
