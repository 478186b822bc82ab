"""KD from a regularised teacher (RegT), on TinyImageNet.

Command   python -m jaxkd.main --config=configs/tiny_imagenet_regt.py
          python -m jaxkd.main --config=configs/tiny_imagenet_regt.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/tiny_imagenet_regt.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 36.66, ShuffleNetV2 48.48, MobileNetV2 53.31.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("tiny_imagenet", arg, title="tiny_imagenet_regt", rows=("regt",))
  config.regt.beta = 0.01  # 0.01 or 0.001; the paper doesn't say which it uses
  config.kd.lam = 0.5  # the authors' code for ATS; the paper leaves it open for KD
  config.kd.tau = 4.0  # the field's default; the paper leaves it open for KD
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
