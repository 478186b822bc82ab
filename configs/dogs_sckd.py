"""KD where gradients agree, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_sckd.py
python -m jaxkd.main --config=configs/dogs_sckd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_sckd.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 51.78, ShuffleNetV2 68.80,
MobileNetV2 70.13.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_sckd")
  config.rows = ("sckd",)
  return config
