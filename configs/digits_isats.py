"""A first look, on the digits that scikit-learn embeds.

./launch.sh
python -m jaxkd.main --config=configs/digits_isats.py

Two minutes on two CPU cores: a ResNet-20 teaches a ResNet-8, under three seeds.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.digits(arg, "digits_isats")
  config.rows = ("nokd", "kd", "ats", "isats")
  return config
