"""Distinctness of wrong-class probabilities against capacity, on scikit-learn's digits.

python -m jaxkd.analyze --config=configs/analysis_digits.py
python -m jaxkd.analyze --config=configs/analysis_digits.py:series=resnet
python -m jaxkd.analyze --config=configs/analysis_digits.py \
  --config.analysis.students=mlp

`series=` is mlp (the default), mlp_2d (MLPs with features of two dimensions,
for Fig. 2 and 4), vgg or resnet. A minute on two CPU cores, six for vgg.
The last command also trains students, for Fig. 8 and the ATS paper's Fig. 3.

With seed 0, mean derived variance at a temperature of 4, times 1000, and mean
Spearman's rho of the smallest and the largest teacher:

  mlp     4.22  2.85  1.88  1.41  1.35  1.11   0.71   falls with every step
  vgg     0.39  0.38  0.26                     0.70   falls from vgg11 on
  resnet  0.44  0.30  0.42                     0.63   does not fall
  mlp_2d  6.12  7.00  7.03                     0.65   does not fall

After 1, 5, 13.3 and 40 epochs, the largest mlp has 0.81, 1.59, 1.40 and 1.11:
the variance rises and then falls, as in Fig. 9.

All teachers but the smallest learn the few images of these ten classes, so they
differ less than the papers' teachers.
"""

from jaxkd.analysis.recipes import analysis


def _mlps(*widths, **options):
  return {f"mlp_{width}": ("mlp", {"depth": 2, "width": width, **options}) for width in widths}


_SERIES = {
  "mlp": _mlps(16, 32, 64, 128, 256, 512),
  "mlp_2d": _mlps(16, 64, 256, feature_dim=2),
  "vgg": ("vgg8", "vgg11", "vgg13"),
  "resnet": ("resnet8", "resnet14", "resnet20"),
}


def get_config(arg=None):
  return analysis("digits", arg, _SERIES)
