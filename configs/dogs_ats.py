"""KD with asymmetric temperatures, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_ats.py
python -m jaxkd.main --config=configs/dogs_ats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_ats.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 52.96, ShuffleNetV2 70.92,
MobileNetV2 73.16.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_ats")
  config.rows = ("ats",)
  return config
