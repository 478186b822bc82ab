"""KD from a regularised teacher, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_regt.py
python -m jaxkd.main --config=configs/dogs_regt.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_regt.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 52.18, ShuffleNetV2 70.55,
MobileNetV2 72.43.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_regt")
  config.rows = ("regt",)
  return config
