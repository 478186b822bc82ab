"""KD with fused global class relations, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_fgcr.py
python -m jaxkd.main --config=configs/cifar10_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_fgcr.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar10(arg, "cifar10_fgcr")
  config.rows = ("fgcr",)
  return config
