"""ReviewKD: each stage of the teacher from this and all deeper stages, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_reviewkd.py
          python -m jaxkd.main --config=configs/cifar100_reviewkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_reviewkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_reviewkd", rows=("reviewkd",))
  # The authors: 5 for most pairs on CIFAR-100, 8 for ResNet-32x4 to ShuffleNetV2, 1 for
  # ResNet-110 to 32, 0.6 for ResNet-56 to 20.
  config.reviewkd.weight = 5.0
  # The authors' code: 20 of 240 epochs, linear, there by epochs, here by steps.
  config.reviewkd.warmup = 20 / 240
  # The authors' code: of the fusions, or of the student's features if fewer.
  config.reviewkd.channels = 512
  return config
