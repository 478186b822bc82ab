"""DIST, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_dist.py
python -m jaxkd.main --config=configs/digits_five_dist.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_dist.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_dist")
  config.rows = ("dist",)
  return config
