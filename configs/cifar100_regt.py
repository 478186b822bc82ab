"""KD from a regularised teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_regt.py
python -m jaxkd.main --config=configs/cifar100_regt.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_regt.py:runlocal

Test accuracy (%) in the paper, Table 2: VGG8 72.09, ShuffleNetV1 72.39,
MobileNetV2 66.18.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_regt")
  config.rows = ("regt",)
  return config
