"""KD with asymmetric temperatures of each instance (ISATS), on Stanford Dogs.

Command   python -m jaxkd.main --config=configs/dogs_isats.py
          python -m jaxkd.main --config=configs/dogs_isats.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/dogs_isats.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 54.36, ShuffleNetV2 70.98, MobileNetV2 72.73.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("dogs", arg, title="dogs_isats", rows=("isats",))
  config.isats.lam = 0.5  # the authors' code for ATS
  config.isats.grid = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)  # Eq. 10
  config.isats.gap = 1.0  # section 5.3 of the paper
  config.isats.keep_guidance = False  # an extension of this package
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
