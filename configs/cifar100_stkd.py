"""KD from the small teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_stkd.py
python -m jaxkd.main --config=configs/cifar100_stkd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_stkd.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 72.30, ShuffleNetV1 73.22,
MobileNetV2 66.56.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_stkd")
  config.rows = ("stkd",)
  return config
