"""Students without a teacher, two seeds together, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_nokd_ens.py
          python -m jaxkd.main --config=configs/cifar100_nokd_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_nokd_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): VGG8 72.77, ShuffleNetV1 73.61, MobileNetV2 67.76.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_nokd_ens", rows=("nokd", "nokd+ens"))
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  return config
