"""DIST, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_dist.py
python -m jaxkd.main --config=configs/cifar100_dist.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_dist.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 71.22, ShuffleNetV1 71.10,
MobileNetV2 65.01.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_dist")
  config.rows = ("dist",)
  return config
