"""KD with asymmetric temperatures (ATS), on TinyImageNet.

Command   python -m jaxkd.main --config=configs/tiny_imagenet_ats.py
          python -m jaxkd.main --config=configs/tiny_imagenet_ats.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/tiny_imagenet_ats.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 37.42, ShuffleNetV2 50.03, MobileNetV2 54.11.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("tiny_imagenet", arg, title="tiny_imagenet_ats", rows=("ats",))
  config.ats.lam = 0.5  # the authors' code
  config.ats.tau1 = 4.0  # the authors search 1 to 6; they recommend tau1 - tau2 in [1, 2]
  config.ats.tau2 = 3.0  # the authors search 1 to 5
  config.ats.keep_guidance = False  # an extension of this package
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
