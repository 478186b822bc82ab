"""DGKD: the teacher and its assistants together, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_dgkd.py
          python -m jaxkd.main --config=configs/cifar100_dgkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_dgkd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_dgkd", rows=("dgkd",))
  # The assistants are `config.takd.assistants`, ResNet-56 for ResNet-110.
  config.dgkd.lam = 0.5  # between labels and the sum of the teachers' terms; the authors' code: 1
  config.dgkd.tau = 5.0  # the authors' code
  # the authors' code: how many teachers each step leaves out at random; a network with no
  # more teachers than that drops none
  config.dgkd.drop = 1
  return config
