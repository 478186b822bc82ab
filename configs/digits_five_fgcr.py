"""KD with fused global class relations, on Digits-Five.

python -m jaxkd.main --config=configs/digits_five_fgcr.py
python -m jaxkd.main --config=configs/digits_five_fgcr.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/digits_five_fgcr.py:runlocal
"""

from configs import common


def get_config(arg=None):
  config = common.digits_five(arg, "digits_five_fgcr")
  config.rows = ("fgcr",)
  return config
