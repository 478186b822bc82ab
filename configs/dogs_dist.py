"""DIST, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_dist.py
python -m jaxkd.main --config=configs/dogs_dist.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_dist.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 49.85, ShuffleNetV2 67.69,
MobileNetV2 68.97.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_dist")
  config.rows = ("dist",)
  return config
