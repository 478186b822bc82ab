"""KD with fused global class relations (FGCR), on Stanford Dogs.

Command   python -m jaxkd.main --config=configs/dogs_fgcr.py
          python -m jaxkd.main --config=configs/dogs_fgcr.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/dogs_fgcr.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 51.84, ShuffleNetV2 70.45, MobileNetV2 72.98.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("dogs", arg, title="dogs_fgcr", rows=("fgcr",))
  config.fgcr.lam = 0.5  # the authors' code for ATS; the paper leaves it open
  config.fgcr.tau = 4.0  # the field's default; the paper leaves it open
  config.fgcr.alpha = 0.5  # share of the class mean: 0.1 or 0.5 in the paper
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
