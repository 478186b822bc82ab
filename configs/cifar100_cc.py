"""CC: correlation congruence, in RepDistiller's form, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_cc.py
          python -m jaxkd.main --config=configs/cifar100_cc.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_cc.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_cc", rows=("cc",))
  config.cc.weight = 0.02  # RepDistiller
  config.cc.features = 128  # RepDistiller: length of the embeddings
  return config
