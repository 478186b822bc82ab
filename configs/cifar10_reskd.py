"""KD and a residual student, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_reskd.py
python -m jaxkd.main --config=configs/cifar10_reskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_reskd.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar10(arg, "cifar10_reskd")
  config.rows = ("reskd",)
  return config
