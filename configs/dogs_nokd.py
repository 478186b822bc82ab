"""The student without a teacher, on Stanford Dogs.

Command   python -m jaxkd.main --config=configs/dogs_nokd.py
          python -m jaxkd.main --config=configs/dogs_nokd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/dogs_nokd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 50.20, ShuffleNetV2 68.72, MobileNetV2 68.67.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("dogs", arg, title="dogs_nokd", rows=("nokd",))
  return config
