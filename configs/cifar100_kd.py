"""KD from the large teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_kd.py
python -m jaxkd.main --config=configs/cifar100_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_kd.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 71.35, ShuffleNetV1 71.86,
MobileNetV2 65.49.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_kd")
  config.rows = ("kd",)
  return config
