"""The student without a teacher, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_nokd.py
          python -m jaxkd.main --config=configs/cub_nokd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_nokd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 55.66, ShuffleNetV2 71.24, MobileNetV2 74.49.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_nokd", rows=("nokd",))
  return config
