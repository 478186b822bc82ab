"""OFA-KD: exits of all stages, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ofa.py
          python -m jaxkd.main --config=configs/cifar100_ofa.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ofa.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ofa", rows=("ofa",))
  config.ofa.weight = 1.0  # the authors' code: of each exit, w
  config.ofa.kd = 1.0  # the authors' code: of the student itself, v
  config.ofa.gamma = 1.0  # the authors' command for CIFAR-100; 1.5 for ImageNet
  config.ofa.tau = 1.0  # the authors' code
  return config
