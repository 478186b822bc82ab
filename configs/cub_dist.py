"""DIST, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_dist.py
python -m jaxkd.main --config=configs/cub_dist.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_dist.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 48.88, ShuffleNetV2 71.79,
MobileNetV2 75.34.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_dist")
  config.rows = ("dist",)
  return config
