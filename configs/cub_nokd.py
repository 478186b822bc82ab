"""The student alone, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_nokd.py
python -m jaxkd.main --config=configs/cub_nokd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_nokd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 55.66, ShuffleNetV2 71.24,
MobileNetV2 74.49.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_nokd")
  config.rows = ("nokd",)
  return config
