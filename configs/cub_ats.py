"""KD with asymmetric temperatures, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_ats.py
python -m jaxkd.main --config=configs/cub_ats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_ats.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 58.32, ShuffleNetV2 73.15,
MobileNetV2 77.83.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_ats")
  config.rows = ("ats",)
  return config
