"""KD with asymmetric temperatures of each instance (ISATS), two seeds together, on TinyImageNet.

Command   python -m jaxkd.main --config=configs/tiny_imagenet_isats_ens.py
          python -m jaxkd.main --config=configs/tiny_imagenet_isats_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/tiny_imagenet_isats_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): AlexNet 40.25, ShuffleNetV2 53.18, MobileNetV2 58.78.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe(
    "tiny_imagenet", arg, title="tiny_imagenet_isats_ens", rows=("isats", "isats+ens")
  )
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  config.isats.lam = 0.5  # the authors' code for ATS
  config.isats.grid = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)  # Eq. 10
  config.isats.gap = 1.0  # section 5.3 of the paper
  config.isats.keep_guidance = False  # an extension of this package
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
