"""KD from a regularised teacher, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_regt.py
python -m jaxkd.main --config=configs/digits_five_regt.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_regt.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_regt")
  config.rows = ("regt",)
  return config
