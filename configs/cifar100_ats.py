"""KD with asymmetric temperatures, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_ats.py
python -m jaxkd.main --config=configs/cifar100_ats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_ats.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 72.31, ShuffleNetV1 73.44,
MobileNetV2 67.18.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_ats")
  config.rows = ("ats",)
  return config
