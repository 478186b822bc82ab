"""The student without a teacher, on TinyImageNet.

Command   python -m jaxkd.main --config=configs/tiny_imagenet_nokd.py
          python -m jaxkd.main --config=configs/tiny_imagenet_nokd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/tiny_imagenet_nokd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 34.62, ShuffleNetV2 45.79, MobileNetV2 52.03.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("tiny_imagenet", arg, title="tiny_imagenet_nokd", rows=("nokd",))
  return config
