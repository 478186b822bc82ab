"""KD and a residual student, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_reskd.py
python -m jaxkd.main --config=configs/cub_reskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_reskd.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 62.60, ShuffleNetV2 75.29,
MobileNetV2 76.27.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_reskd")
  config.rows = ("reskd",)
  return config
