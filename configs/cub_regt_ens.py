"""Two students by KD from a regularised teacher, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_regt_ens.py
python -m jaxkd.main --config=configs/cub_regt_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_regt_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 62.11, ShuffleNetV2 75.64,
MobileNetV2 80.82.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_regt_ens")
  config.rows = ("regt", "regt+ens")
  config.seeds = (0, 1)
  return config
