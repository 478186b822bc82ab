"""KD where gradients agree, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_sckd.py
python -m jaxkd.main --config=configs/digits_five_sckd.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_sckd.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_sckd")
  config.rows = ("sckd",)
  return config
