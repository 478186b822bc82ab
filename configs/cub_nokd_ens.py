"""Students without a teacher, two seeds together, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_nokd_ens.py
          python -m jaxkd.main --config=configs/cub_nokd_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_nokd_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): AlexNet 59.84, ShuffleNetV2 74.43, MobileNetV2 77.47.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.student.init_from.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_nokd_ens", rows=("nokd", "nokd+ens"))
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  return config
