"""Two students by KD with fused global class relations, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_fgcr_ens.py
python -m jaxkd.main --config=configs/dogs_fgcr_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_fgcr_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 54.25, ShuffleNetV2 72.70,
MobileNetV2 74.83.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_fgcr_ens")
  config.rows = ("fgcr", "fgcr+ens")
  config.seeds = (0, 1)
  return config
