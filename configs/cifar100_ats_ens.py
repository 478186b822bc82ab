"""Two students by KD with asymmetric temperatures, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_ats_ens.py
python -m jaxkd.main --config=configs/cifar100_ats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_ats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: VGG8 74.86, ShuffleNetV1 75.05,
MobileNetV2 69.50.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_ats_ens")
  config.rows = ("ats", "ats+ens")
  config.seeds = (0, 1)
  return config
