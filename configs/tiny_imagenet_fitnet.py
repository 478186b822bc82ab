"""FitNets' hints, on TinyImageNet.

python -m jaxkd.main --config=configs/tiny_imagenet_fitnet.py
python -m jaxkd.main --config=configs/tiny_imagenet_fitnet.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/tiny_imagenet_fitnet.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.tiny_imagenet(arg, "tiny_imagenet_fitnet")
  config.rows = ("fitnet",)
  return config
