"""KD with instance-specific asymmetric temperatures, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_isats.py
python -m jaxkd.main --config=configs/cifar100_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_isats.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 72.46, ShuffleNetV1 73.80,
MobileNetV2 67.04.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_isats")
  config.rows = ("isats",)
  return config
