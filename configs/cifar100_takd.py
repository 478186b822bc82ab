"""KD through an assistant, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_takd.py
python -m jaxkd.main --config=configs/cifar100_takd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_takd.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 72.71, ShuffleNetV1 72.86,
MobileNetV2 66.98.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_takd")
  config.rows = ("takd",)
  return config
