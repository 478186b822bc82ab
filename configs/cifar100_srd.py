"""SRD: normalised features, through a linear projector, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_srd.py
          python -m jaxkd.main --config=configs/cifar100_srd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_srd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_srd", rows=("srd",))
  config.srd.weight = 2.0  # the authors' code for ImageNet; they publish none for CIFAR-100
  config.srd.alpha = 4.0  # the authors' code for ImageNet; they publish none for CIFAR-100
  # The authors' code for ImageNet; they publish none for CIFAR-100: weight of the divergence.
  config.srd.kd = 1.0
  config.srd.tau = 1.0  # the authors' code for ImageNet; they publish none for CIFAR-100
  return config
