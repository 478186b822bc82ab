"""Two students by KD with instance-specific temperatures, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_isats_ens.py
python -m jaxkd.main --config=configs/cifar100_isats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_isats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: VGG8 74.55, ShuffleNetV1 74.43,
MobileNetV2 68.61.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_isats_ens")
  config.rows = ("isats", "isats+ens")
  config.seeds = (0, 1)
  return config
