"""KD from the large teacher, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_kd.py
python -m jaxkd.main --config=configs/cub_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_kd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 55.10, ShuffleNetV2 71.89,
MobileNetV2 76.45.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_kd")
  config.rows = ("kd",)
  return config
