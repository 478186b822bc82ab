"""KD with asymmetric temperatures of each instance (ISATS), on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_isats.py
          python -m jaxkd.main --config=configs/cifar100_isats.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_isats.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): VGG8 72.46, ShuffleNetV1 73.80, MobileNetV2 67.04.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_isats", rows=("isats",))
  config.isats.lam = 0.5  # the authors' code for ATS
  config.isats.grid = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)  # Eq. 10
  config.isats.gap = 1.0  # section 5.3 of the paper
  config.isats.keep_guidance = False  # an extension of this package
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
