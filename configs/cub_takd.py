"""KD through an assistant, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_takd.py
python -m jaxkd.main --config=configs/cub_takd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_takd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 54.82, ShuffleNetV2 71.53,
MobileNetV2 76.25.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_takd")
  config.rows = ("takd",)
  return config
