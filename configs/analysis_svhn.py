"""Distances between features against capacity, on SVHN (Fig. 2).

python -m jaxkd.analyze --config=configs/analysis_svhn.py
python -m jaxkd.analyze --config=configs/analysis_svhn.py:epochs=20

VGGs with features of three dimensions; as the paper says, their last layer has
no bias, and there is no ReLU on the features. They train on the 73,257 images of
the split `train`.
"""

from jaxkd.analysis.recipes import CIFAR_SERIES, analysis


def get_config(arg=None):
  return analysis("svhn", arg, {"vgg": CIFAR_SERIES["vgg"]}, feature_dim=3)
