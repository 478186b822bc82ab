"""KD and a residual student, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_reskd.py
python -m jaxkd.main --config=configs/dogs_reskd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_reskd.py:runlocal

Test accuracy (%) in the paper, Table 3: AlexNet 54.68, ShuffleNetV2 70.73,
MobileNetV2 72.85.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_reskd")
  config.rows = ("reskd",)
  return config
