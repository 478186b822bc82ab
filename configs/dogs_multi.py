"""KD from two teachers, on Stanford Dogs.

python -m jaxkd.main --config=configs/dogs_multi.py
python -m jaxkd.main --config=configs/dogs_multi.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/dogs_multi.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.dogs(arg, "dogs_multi")
  config.rows = ("multi",)
  return config
