"""MLKD: logits matched by example, by batch and by class, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_mlkd.py
          python -m jaxkd.main --config=configs/cifar100_mlkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_mlkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_mlkd", rows=("mlkd",))
  config.mlkd.lam = 0.9  # the authors' code; their second view, with RandAugment, is left out
  config.mlkd.taus = (2.0, 3.0, 4.0, 5.0, 6.0)  # the authors' code
  return config
