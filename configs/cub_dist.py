"""DIST: correlations between and within classes, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_dist.py
          python -m jaxkd.main --config=configs/cub_dist.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_dist.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 48.88, ShuffleNetV2 71.79, MobileNetV2 75.34.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_dist", rows=("dist",))
  config.dist.beta = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.gamma = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.tau = 4.0  # the original for CIFAR-100; 1 for ImageNet
  return config
