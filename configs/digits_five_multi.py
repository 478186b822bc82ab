"""KD from two teachers, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_multi.py
python -m jaxkd.main --config=configs/digits_five_multi.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_multi.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.digits_five(arg, "digits_five_multi")
  config.rows = ("multi",)
  return config
