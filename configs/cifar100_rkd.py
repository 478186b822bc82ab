"""RKD: distances and angles, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_rkd.py
          python -m jaxkd.main --config=configs/cifar100_rkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_rkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_rkd", rows=("rkd",))
  config.rkd.distance = 25.0  # the original
  config.rkd.angle = 50.0  # the original
  return config
