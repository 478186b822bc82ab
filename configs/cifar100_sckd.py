"""KD where gradients agree, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_sckd.py
python -m jaxkd.main --config=configs/cifar100_sckd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_sckd.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 70.38, ShuffleNetV1 70.61,
MobileNetV2 64.59.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_sckd")
  config.rows = ("sckd",)
  return config
