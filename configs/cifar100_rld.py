"""RLD: the teacher's logits refined by the label, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_rld.py
          python -m jaxkd.main --config=configs/cifar100_rld.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_rld.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_rld", rows=("rld",))
  config.rld.alpha = 1.0  # the authors' code
  config.rld.beta = 8.0  # the authors' code
  config.rld.tau = 4.0  # the authors' code
  config.rld.confidence_tau = 4.0  # the authors' command for CIFAR-100, --same-t
  config.rld.warmup = 20 / 240  # the authors' code: 20 of 240 epochs
  return config
