"""KD from an early-stopped teacher, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_eskd.py
python -m jaxkd.main --config=configs/dogs_eskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_eskd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 50.39, ShuffleNetV2 69.02,
MobileNetV2 71.56.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_eskd")
  config.rows = ("eskd",)
  return config
