"""Two students by KD with instance-specific temperatures, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_isats_ens.py
python -m jaxkd.main --config=configs/dogs_isats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_isats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 56.62, ShuffleNetV2 73.53,
MobileNetV2 75.30.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_isats_ens")
  config.rows = ("isats", "isats+ens")
  config.seeds = (0, 1)
  return config
