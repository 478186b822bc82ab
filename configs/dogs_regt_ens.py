"""Two students by KD from a regularised teacher, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_regt_ens.py
python -m jaxkd.main --config=configs/dogs_regt_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_regt_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 55.03, ShuffleNetV2 72.73,
MobileNetV2 74.25.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_regt_ens")
  config.rows = ("regt", "regt+ens")
  config.seeds = (0, 1)
  return config
