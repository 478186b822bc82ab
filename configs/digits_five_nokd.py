"""The student alone, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_nokd.py
python -m jaxkd.main --config=configs/digits_five_nokd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_nokd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_nokd")
  config.rows = ("nokd",)
  return config
