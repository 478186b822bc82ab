"""DKD: decoupled KD, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_dkd.py
          python -m jaxkd.main --config=configs/cifar100_dkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_dkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_dkd", rows=("dkd",))
  config.dkd.alpha = 1.0  # the original
  config.dkd.beta = 8.0  # the original: 2 for ResNets on CIFAR, 6 for VGGs and WRNs, 8 for most
  config.dkd.tau = 4.0  # the original
  # The original: 20 of 240 epochs, linear. Its weight is constant within an epoch, 1/20 in the
  # first one and 1 from the 20th on; here it rises with each step, and is up to 1/20 smaller.
  config.dkd.warmup = 20 / 240
  return config
