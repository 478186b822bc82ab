"""Agreement of networks of three sizes with people's rules, on Digits-Five (Table 1).

python -m jaxkd.analyze --config=configs/analysis_digits_five.py
python -m jaxkd.analyze --config=configs/analysis_digits_five.py:runlocal

In the paper, mean Kendall's tau with rules D.1 to D.3 and mean deviation: VGG8
0.963; 0.009, VGG13 0.955; 0.007, VGG19 0.967; 0.005.

Measured on four domains, without SVHN, 10 epochs, one H100, 2026-11-26 (command on
the docs page Results). Rule D.2 alone: VGG8 0.955; 0.0056, VGG13 0.941; 0.0040,
VGG19 0.938; 0.0031. The other rules need SVHN.
"""

from jaxkd.analysis.recipes import analysis


def get_config(arg=None):
  return analysis("digits_five", arg, {"vgg": ("vgg8", "vgg13", "vgg19")})
