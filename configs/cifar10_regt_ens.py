"""Two students by KD from a regularised teacher, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_regt_ens.py
python -m jaxkd.main --config=configs/cifar10_regt_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_regt_ens.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar10(arg, "cifar10_regt_ens")
  config.rows = ("regt", "regt+ens")
  config.seeds = (0, 1)
  return config
