"""NST: the distribution of the channels' maps, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_nst.py
          python -m jaxkd.main --config=configs/cifar100_nst.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_nst.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_nst", rows=("nst",))
  config.nst.weight = 50.0  # the toolkits
  return config
