"""The student without a teacher, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_nokd.py
          python -m jaxkd.main --config=configs/cifar100_nokd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_nokd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): VGG8 69.92, ShuffleNetV1 70.04, MobileNetV2 64.75.
Measured  nothing at full length yet. VGG8, 30 epochs, batches of 256, learning rate
          0.1, bfloat16: 67.41 ± 0.06 %, three seeds, one H100, 2026-11-26; command on the
          docs page Results. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_nokd", rows=("nokd",))
  return config
