"""Two students without a teacher, on CUB-200-2011.

python -m jaxkd.main --config=configs/cub_nokd_ens.py
python -m jaxkd.main --config=configs/cub_nokd_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cub_nokd_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 59.84, ShuffleNetV2 74.43,
MobileNetV2 77.47.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cub(arg, "cub_nokd_ens")
  config.rows = ("nokd", "nokd+ens")
  config.seeds = (0, 1)
  return config
