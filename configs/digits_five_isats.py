"""KD with instance-specific asymmetric temperatures, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_isats.py
python -m jaxkd.main --config=configs/digits_five_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_isats.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.digits_five(arg, "digits_five_isats")
  config.rows = ("isats",)
  return config
