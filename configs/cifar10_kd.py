"""KD from the large teacher, on CIFAR-10.

python -m jaxkd.main --config=configs/cifar10_kd.py
python -m jaxkd.main --config=configs/cifar10_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar10_kd.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar10(arg, "cifar10_kd")
  config.rows = ("kd",)
  return config
