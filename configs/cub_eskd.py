"""KD from an early-stopped teacher, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_eskd.py
python -m jaxkd.main --config=configs/cub_eskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_eskd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 55.64, ShuffleNetV2 72.15,
MobileNetV2 76.87.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_eskd")
  config.rows = ("eskd",)
  return config
