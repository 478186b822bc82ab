"""KD from the small teacher, on Stanford Dogs.

Command   python -m jaxkd.main --config=configs/dogs_stkd.py
          python -m jaxkd.main --config=configs/dogs_stkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/dogs_stkd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 51.95, ShuffleNetV2 69.92, MobileNetV2 72.06.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.small_teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("dogs", arg, title="dogs_stkd", rows=("stkd",))
  config.kd.lam = 0.5  # the authors' code for ATS; the paper leaves it open for KD
  config.kd.tau = 4.0  # the field's default; the paper leaves it open for KD
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
