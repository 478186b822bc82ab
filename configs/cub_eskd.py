"""KD from an early-stopped teacher, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_eskd.py
          python -m jaxkd.main --config=configs/cub_eskd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_eskd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 55.64, ShuffleNetV2 72.15, MobileNetV2 76.87.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_eskd", rows=("eskd",))
  # Share of the teacher's epochs; the paper doesn't say it; the original tries 35 and 50 of 200.
  config.eskd.teacher_epochs = 1 / 3
  # The original, as it is reported: warm-up and drops of the rate keep their shares of the shorter
  # training. 'full': the teacher has the rates of all its epochs and is stopped.
  config.eskd.teacher_schedule = "squeezed"
  # `kd.until` of this row; below 1 it is the original's second intervention.
  config.eskd.until = 1.0
  config.kd.lam = 0.5  # the authors' code for ATS; the paper leaves it open for KD
  config.kd.tau = 4.0  # the field's default; the paper leaves it open for KD
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
