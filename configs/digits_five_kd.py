"""KD from the large teacher, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_kd.py
python -m jaxkd.main --config=configs/digits_five_kd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_kd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_kd")
  config.rows = ("kd",)
  return config
