"""DIST: correlations between and within classes, on Stanford Dogs.

Command   python -m jaxkd.main --config=configs/dogs_dist.py
          python -m jaxkd.main --config=configs/dogs_dist.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/dogs_dist.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 49.85, ShuffleNetV2 67.69, MobileNetV2 68.97.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("dogs", arg, title="dogs_dist", rows=("dist",))
  config.dist.beta = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.gamma = 2.0  # the original for CIFAR-100; 1 for ImageNet
  config.dist.tau = 4.0  # the original for CIFAR-100; 1 for ImageNet
  return config
