"""KD with asymmetric temperatures (ATS), two seeds together, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ats_ens.py
          python -m jaxkd.main --config=configs/cifar100_ats_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ats_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): VGG8 74.86, ShuffleNetV1 75.05, MobileNetV2 69.50.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ats_ens", rows=("ats", "ats+ens"))
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  config.ats.lam = 0.5  # the authors' code
  config.ats.tau1 = 4.0  # the authors search 1 to 6; they recommend tau1 - tau2 in [1, 2]
  config.ats.tau2 = 3.0  # the authors search 1 to 5
  config.ats.keep_guidance = False  # an extension of this package
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
