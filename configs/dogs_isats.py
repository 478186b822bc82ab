"""KD with instance-specific asymmetric temperatures, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_isats.py
python -m jaxkd.main --config=configs/dogs_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_isats.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 54.36, ShuffleNetV2 70.98,
MobileNetV2 72.73.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_isats")
  config.rows = ("isats",)
  return config
