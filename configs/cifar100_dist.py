"""DIST: correlations between and within classes, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_dist.py
          python -m jaxkd.main --config=configs/cifar100_dist.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_dist.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): VGG8 71.22, ShuffleNetV1 71.10, MobileNetV2 65.01.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_dist", rows=("dist",))
  config.dist.beta = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.gamma = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.tau = 4.0  # the original for CIFAR-100; 1 for ImageNet
  return config
