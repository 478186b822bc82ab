"""PKT: probabilities that examples are neighbours, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_pkt.py
          python -m jaxkd.main --config=configs/cifar100_pkt.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_pkt.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_pkt", rows=("pkt",))
  config.pkt.weight = 30000.0  # the toolkits
  return config
