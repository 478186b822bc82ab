"""KD-SVD: singular vectors of neighbouring stages, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_kdsvd.py
          python -m jaxkd.main --config=configs/cifar100_kdsvd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_kdsvd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_kdsvd", rows=("kdsvd",))
  config.kdsvd.weight = 1.0  # mdistiller
  config.kdsvd.vectors = 1  # mdistiller
  return config
