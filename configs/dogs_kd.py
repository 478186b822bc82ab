"""KD from the large teacher, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_kd.py
python -m jaxkd.main --config=configs/dogs_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_kd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 50.22, ShuffleNetV2 68.48,
MobileNetV2 71.25.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_kd")
  config.rows = ("kd",)
  return config
