"""Two students by KD with asymmetric temperatures, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_ats_ens.py
python -m jaxkd.main --config=configs/dogs_ats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_ats_ens.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 55.69, ShuffleNetV2 73.22,
MobileNetV2 74.67.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_ats_ens")
  config.rows = ("ats", "ats+ens")
  config.seeds = (0, 1)
  return config
