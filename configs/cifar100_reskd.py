"""KD and a residual student, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_reskd.py
python -m jaxkd.main --config=configs/cifar100_reskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_reskd.py:runlocal

Test accuracy (%) in the paper, Table 3: VGG8 73.89, ShuffleNetV1 76.03,
MobileNetV2 69.00.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_reskd")
  config.rows = ("reskd",)
  return config
