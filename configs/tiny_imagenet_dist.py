"""DIST: correlations between and within classes, on TinyImageNet.

Command   python -m jaxkd.main --config=configs/tiny_imagenet_dist.py
          python -m jaxkd.main --config=configs/tiny_imagenet_dist.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/tiny_imagenet_dist.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 35.95, ShuffleNetV2 45.75, MobileNetV2 50.56.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("tiny_imagenet", arg, title="tiny_imagenet_dist", rows=("dist",))
  config.dist.beta = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.gamma = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.tau = 4.0  # the original for CIFAR-100; 1 for ImageNet
  return config
