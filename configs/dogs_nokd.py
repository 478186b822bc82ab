"""The student alone, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_nokd.py
python -m jaxkd.main --config=configs/dogs_nokd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_nokd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 50.20, ShuffleNetV2 68.72,
MobileNetV2 68.67.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_nokd")
  config.rows = ("nokd",)
  return config
