"""KD with fused global class relations, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_fgcr.py
python -m jaxkd.main --config=configs/cifar100_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_fgcr.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 71.99, ShuffleNetV1 72.42,
MobileNetV2 66.39.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_fgcr")
  config.rows = ("fgcr",)
  return config
