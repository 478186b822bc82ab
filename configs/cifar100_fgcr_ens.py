"""Two students by KD with fused global class relations, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_fgcr_ens.py
python -m jaxkd.main --config=configs/cifar100_fgcr_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_fgcr_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: VGG8 73.69, ShuffleNetV1 74.76,
MobileNetV2 68.22.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_fgcr_ens")
  config.rows = ("fgcr", "fgcr+ens")
  config.seeds = (0, 1)
  return config
