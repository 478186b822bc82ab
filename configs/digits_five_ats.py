"""KD with asymmetric temperatures, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_ats.py
python -m jaxkd.main --config=configs/digits_five_ats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_ats.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_ats")
  config.rows = ("ats",)
  return config
