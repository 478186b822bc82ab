"""KD with fused global class relations, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_fgcr.py
python -m jaxkd.main --config=configs/dogs_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_fgcr.py:runlocal

Test accuracy (%) in the paper, Table 2: AlexNet 51.84, ShuffleNetV2 70.45,
MobileNetV2 72.98.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_fgcr")
  config.rows = ("fgcr",)
  return config
