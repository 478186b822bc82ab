"""KD from an early-stopped teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_eskd.py
python -m jaxkd.main --config=configs/cifar100_eskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_eskd.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 71.88, ShuffleNetV1 72.02,
MobileNetV2 65.92.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_eskd")
  config.rows = ("eskd",)
  return config
