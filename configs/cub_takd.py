"""KD through an assistant, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_takd.py
          python -m jaxkd.main --config=configs/cub_takd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_takd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 54.82, ShuffleNetV2 71.53, MobileNetV2 76.25.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from, config.takd.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_takd", rows=("takd",))
  config.kd.lam = 0.5  # the authors' code for ATS; the paper leaves it open for KD
  config.kd.tau = 4.0  # the field's default; the paper leaves it open for KD
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
