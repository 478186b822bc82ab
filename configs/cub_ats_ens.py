"""Two students by KD with asymmetric temperatures, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_ats_ens.py
python -m jaxkd.main --config=configs/cub_ats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_ats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 62.00, ShuffleNetV2 76.26,
MobileNetV2 78.97.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_ats_ens")
  config.rows = ("ats", "ats+ens")
  config.seeds = (0, 1)
  return config
