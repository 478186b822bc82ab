"""AB: the activation boundaries of all stages, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_ab.py
          python -m jaxkd.main --config=configs/cifar100_ab.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_ab.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_ab", rows=("ab",))
  # The authors' code and RepDistiller: of the sum over a map, of the last stage.
  config.ab.weight = 0.003
  config.ab.margin = 1.0  # the authors' code and RepDistiller: m
  # Share of the training with the distances alone, before cross entropy alone; RepDistiller
  # trains for 30 epochs, then for 240.
  config.ab.init = 30 / 270
  return config
