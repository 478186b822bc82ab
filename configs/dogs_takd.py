"""KD through an assistant, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_takd.py
python -m jaxkd.main --config=configs/dogs_takd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_takd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 50.36, ShuffleNetV2 68.94,
MobileNetV2 70.61.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_takd")
  config.rows = ("takd",)
  return config
