"""KD with instance-specific asymmetric temperatures, on ImageNet.

python -m jaxkd.main --config=configs/imagenet_isats.py
python -m jaxkd.main --config=configs/imagenet_isats.py:student=resnet18
python -m jaxkd.main --config=configs/imagenet_isats.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.imagenet(arg, "imagenet_isats")
  config.rows = ("isats",)
  return config
