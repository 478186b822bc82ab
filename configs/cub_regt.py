"""KD from a regularised teacher, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_regt.py
python -m jaxkd.main --config=configs/cub_regt.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_regt.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 60.17, ShuffleNetV2 74.20,
MobileNetV2 79.21.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_regt")
  config.rows = ("regt",)
  return config
