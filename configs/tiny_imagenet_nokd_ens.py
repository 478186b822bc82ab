"""Students without a teacher, two seeds together, on TinyImageNet.

Command   python -m jaxkd.main --config=configs/tiny_imagenet_nokd_ens.py
          python -m jaxkd.main --config=configs/tiny_imagenet_nokd_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/tiny_imagenet_nokd_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): AlexNet 39.37, ShuffleNetV2 50.69, MobileNetV2 56.40.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("tiny_imagenet", arg, title="tiny_imagenet_nokd_ens", rows=("nokd", "nokd+ens"))
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  return config
