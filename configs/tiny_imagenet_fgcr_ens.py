"""Two students by KD with fused global class relations, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_fgcr_ens.py
python -m jaxkd.main --config=configs/tiny_imagenet_fgcr_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_fgcr_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 39.20, ShuffleNetV2 52.71,
MobileNetV2 56.44.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_fgcr_ens")
  config.rows = ("fgcr", "fgcr+ens")
  config.seeds = (0, 1)
  return config
