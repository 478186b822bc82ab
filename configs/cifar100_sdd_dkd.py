"""SDD: DKD from each region of the image (SD-DKD), on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_sdd_dkd.py
          python -m jaxkd.main --config=configs/cifar100_sdd_dkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_sdd_dkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_sdd_dkd", rows=("sdd_dkd",))
  config.sdd_dkd.alpha = 1.0  # the authors' code
  config.sdd_dkd.beta = (
    8.0  # the authors' code; 2 from ResNet-56 and 110, 6 from VGG13 and most WRNs
  )
  config.sdd_dkd.tau = 4.0  # the authors' code
  config.sdd_dkd.scales = (1, 2, 4)  # the authors' commands across families; 1 and 2 within one
  config.sdd_dkd.complementary = 2.0  # the authors' code
  config.sdd_dkd.warmup = 20 / 240  # the authors' code: 20 of 240 epochs
  return config
