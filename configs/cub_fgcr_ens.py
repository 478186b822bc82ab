"""Two students by KD with fused global class relations, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_fgcr_ens.py
python -m jaxkd.main --config=configs/cub_fgcr_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_fgcr_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 61.94, ShuffleNetV2 76.84,
MobileNetV2 80.37.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_fgcr_ens")
  config.rows = ("fgcr", "fgcr+ens")
  config.seeds = (0, 1)
  return config
