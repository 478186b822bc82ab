"""Two students by KD from a regularised teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_regt_ens.py
python -m jaxkd.main --config=configs/cifar100_regt_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_regt_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: VGG8 74.88, ShuffleNetV1 74.95,
MobileNetV2 68.45.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_regt_ens")
  config.rows = ("regt", "regt+ens")
  config.seeds = (0, 1)
  return config
