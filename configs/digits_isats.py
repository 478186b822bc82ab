"""A first look, on the digits that scikit-learn embeds: a ResNet-20 teaches a ResNet-8.

Command   python -m jaxkd.main --config=configs/digits_isats.py
Paper     no figure.
Measured  see the README: seeds 0, 1, 2; two minutes on two CPU cores.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  return recipe("digits", arg, title="digits_isats", rows=("nokd", "kd", "ats", "isats"))
