"""NKD: the label's class by the teacher's confidence, the wrong classes apart, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_nkd.py
          python -m jaxkd.main --config=configs/cifar100_nkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_nkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_nkd", rows=("nkd",))
  config.nkd.gamma = 3.5  # the authors' code for CIFAR-100
  config.nkd.tau = 3.0  # the authors' code for CIFAR-100
  return config
