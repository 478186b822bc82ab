"""SDD: KD from each region of the image (SD-KD), on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_sdd.py
          python -m jaxkd.main --config=configs/cifar100_sdd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_sdd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_sdd", rows=("sdd",))
  config.sdd.lam = 0.9  # the authors' code
  config.sdd.tau = 4.0  # the authors' code
  config.sdd.scales = (1, 2, 4)  # the authors' commands across families; 1 and 2 within one
  config.sdd.complementary = 2.0  # the authors' code
  return config
