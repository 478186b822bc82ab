"""Deep mutual learning: peers teach one another, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_dml.py
          python -m jaxkd.main --config=configs/cifar100_dml.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_dml.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_dml", rows=("dml",))
  config.dml.count = 1  # peers beside the student; the paper has one, or up to four
  config.dml.weight = 1.0  # the paper
  return config
