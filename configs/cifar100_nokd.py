"""The student alone, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_nokd.py
python -m jaxkd.main --config=configs/cifar100_nokd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_nokd.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 69.92, ShuffleNetV1 70.04,
MobileNetV2 64.75.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_nokd")
  config.rows = ("nokd",)
  return config
