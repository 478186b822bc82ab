"""KD with instance-specific asymmetric temperatures, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_isats.py
python -m jaxkd.main --config=configs/cifar10_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_isats.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar10(arg, "cifar10_isats")
  config.rows = ("isats",)
  return config
