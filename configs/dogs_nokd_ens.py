"""Two students without a teacher, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_nokd_ens.py
python -m jaxkd.main --config=configs/dogs_nokd_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_nokd_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 54.04, ShuffleNetV2 71.65,
MobileNetV2 72.53.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_nokd_ens")
  config.rows = ("nokd", "nokd+ens")
  config.seeds = (0, 1)
  return config
