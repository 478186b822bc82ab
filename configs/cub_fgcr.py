"""KD with fused global class relations, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_fgcr.py
python -m jaxkd.main --config=configs/cub_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_fgcr.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 60.22, ShuffleNetV2 73.63,
MobileNetV2 79.44.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_fgcr")
  config.rows = ("fgcr",)
  return config
