"""SimKD: the student reuses the teacher's classifier, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_simkd.py
          python -m jaxkd.main --config=configs/cifar100_simkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_simkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.

The trained student has a projector and the teacher's classifier in place of its own classifier.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_simkd", rows=("simkd",))
  config.simkd.weight = 1.0  # the authors' command for CIFAR-100
  config.simkd.factor = 2  # the authors' code; 4 and 8 for smaller projectors
  return config
