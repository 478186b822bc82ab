"""BYOT: the student's last layers teach its first, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_byot.py
          python -m jaxkd.main --config=configs/cifar100_byot.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_byot.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_byot", rows=("byot",))
  config.byot.alpha = 0.1  # the public code
  # the public code: 1e-6 times the sum over a batch of 128; here the mean over the batch
  # counts
  config.byot.beta = 0.000128
  config.byot.tau = 3.0  # the public code
  return config
