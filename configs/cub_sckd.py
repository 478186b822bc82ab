"""KD where gradients agree, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_sckd.py
python -m jaxkd.main --config=configs/cub_sckd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_sckd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 56.78, ShuffleNetV2 71.99,
MobileNetV2 75.13.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_sckd")
  config.rows = ("sckd",)
  return config
