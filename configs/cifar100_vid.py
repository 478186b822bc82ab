"""VID: the teacher's maps under a Gaussian that the student predicts, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_vid.py
          python -m jaxkd.main --config=configs/cifar100_vid.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_vid.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_vid", rows=("vid",))
  config.vid.weight = 1.0  # the toolkits
  config.vid.variance = 5.0  # the toolkits: every variance at first
  return config
