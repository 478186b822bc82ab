"""Two students by KD with instance-specific temperatures, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_isats_ens.py
python -m jaxkd.main --config=configs/cub_isats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_isats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 63.82, ShuffleNetV2 75.07,
MobileNetV2 80.87.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_isats_ens")
  config.rows = ("isats", "isats+ens")
  config.seeds = (0, 1)
  return config
