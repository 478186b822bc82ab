"""FT: factors of the last stage, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ft.py
          python -m jaxkd.main --config=configs/cifar100_ft.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ft.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ft", rows=("ft",))
  config.ft.weight = 200.0  # RepDistiller
  # The authors' code and RepDistiller: channels of the factors, as a share of the teacher's.
  config.ft.rate = 0.5
  # Weight of the paraphraser's loss, v; RepDistiller's learning rate for it is 0.01, a fifth of
  # the student's, where that is a ResNet or WRN.
  config.ft.reconstruction = 0.2
  # Share of the training before the factors are compared; RepDistiller trains the paraphraser
  # alone for 30 epochs, then the student for 240.
  config.ft.init = 30 / 270
  return config
