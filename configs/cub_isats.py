"""KD with instance-specific asymmetric temperatures, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_isats.py
python -m jaxkd.main --config=configs/cub_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_isats.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 61.73, ShuffleNetV2 74.23,
MobileNetV2 78.84.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_isats")
  config.rows = ("isats",)
  return config
