"""Born-again networks: generations of the student, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ban.py
          python -m jaxkd.main --config=configs/cifar100_ban.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ban.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ban", rows=("ban",))
  config.ban.generations = 3  # the paper has up to three on CIFAR-100
  # the paper's BAN, without labels; its BAN+L has both: 0.5 is its plain sum, halved
  config.ban.lam = 1.0
  config.ban.tau = 1.0  # the paper has no temperature
  return config
