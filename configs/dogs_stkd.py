"""KD from the small teacher, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_stkd.py
python -m jaxkd.main --config=configs/dogs_stkd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_stkd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 51.95, ShuffleNetV2 69.92,
MobileNetV2 72.06.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_stkd")
  config.rows = ("stkd",)
  return config
