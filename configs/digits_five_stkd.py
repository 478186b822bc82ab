"""KD from the small teacher, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_stkd.py
python -m jaxkd.main --config=configs/digits_five_stkd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_stkd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_stkd")
  config.rows = ("stkd",)
  return config
