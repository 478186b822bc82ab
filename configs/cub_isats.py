"""KD with asymmetric temperatures of each instance (ISATS), on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_isats.py
          python -m jaxkd.main --config=configs/cub_isats.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_isats.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 61.73, ShuffleNetV2 74.23, MobileNetV2 78.84.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_isats", rows=("isats",))
  config.isats.lam = 0.5  # the authors' code for ATS
  config.isats.grid = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)  # Eq. 10
  config.isats.gap = 1.0  # section 5.3 of the paper
  config.isats.keep_guidance = False  # an extension of this package
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
