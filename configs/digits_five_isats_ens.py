"""Two students by KD with instance-specific temperatures, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_isats_ens.py
python -m jaxkd.main --config=configs/digits_five_isats_ens.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_isats_ens.py:runlocal

The paper has no figure for it.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.digits_five(arg, "digits_five_isats_ens")
  config.rows = ("isats", "isats+ens")
  config.seeds = (0, 1)
  return config
