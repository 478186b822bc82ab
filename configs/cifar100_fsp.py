"""FSP: flow matrices of neighbouring stages, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_fsp.py
          python -m jaxkd.main --config=configs/cifar100_fsp.py:student=resnet32
          python -m jaxkd.main --config=configs/cifar100_fsp.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  # A student with the channels of the teacher's stages, which the method needs.
  config = recipe("cifar100", arg or "student=resnet20", title="cifar100_fsp", rows=("fsp",))
  config.fsp.weight = 1.0  # RepDistiller, whose --beta has no part in this method
  # Share of the training with the distances alone, before cross entropy alone; RepDistiller
  # trains for 30 epochs, then for 240.
  config.fsp.init = 30 / 270
  return config
