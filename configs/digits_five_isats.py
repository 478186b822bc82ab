"""KD with instance-specific asymmetric temperatures, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_isats.py
python -m jaxkd.main --config=configs/digits_five_isats.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_isats.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_isats")
  config.rows = ("isats",)
  return config
