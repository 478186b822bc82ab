"""KD from two teachers, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_multi.py
          python -m jaxkd.main --config=configs/cifar100_multi.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_multi.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_multi", rows=("multi",))
  config.multi.weights = (1.0, 1.0)  # one for each teacher
  config.multi.label = "kd"  # the row whose label each teacher gives
  config.multi.lam = 0.5  # the authors' code for ATS; the paper leaves it open
  config.multi.tau = 4.0  # the field's default
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.multi.grid = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)  # Eq. 10, for labels of `isats`
  config.multi.gap = 1.0  # section 5.3 of the paper, for labels of `isats`
  config.multi.contrast = 0.0  # weight of a contrastive term with each teacher
  config.multi.contrast_features = 128  # `crd.features`, for that term
  config.multi.contrast_negatives = 16384  # `crd.negatives`, for that term
  config.multi.contrast_tau = 0.07  # `crd.tau`, for that term
  return config
