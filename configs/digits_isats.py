"""A first look, on the digits that scikit-learn embeds.

./launch.sh
python -m jaxkd.main --config=configs/digits_isats.py

A minute on two CPU cores. The teacher is a ResNet-20, the student an MLP of 16
hidden units.
"""

from configs import common


def get_config(arg=None):
  config = common.digits(arg, "digits_isats")
  config.rows = ("nokd", "kd", "ats", "isats")
  return config
