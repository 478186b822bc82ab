"""Two students without a teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_nokd_ens.py
python -m jaxkd.main --config=configs/cifar100_nokd_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_nokd_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: VGG8 72.77, ShuffleNetV1 73.61,
MobileNetV2 67.76.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_nokd_ens")
  config.rows = ("nokd", "nokd+ens")
  config.seeds = (0, 1)
  return config
