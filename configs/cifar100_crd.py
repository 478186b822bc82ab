"""CRD: contrastive distillation, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_crd.py
          python -m jaxkd.main --config=configs/cifar100_crd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_crd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_crd", rows=("crd",))
  config.crd.weight = 0.8  # the original
  config.crd.features = 128  # the original: length of the embeddings
  # Length of the memory; the original draws as many negatives from all examples.
  config.crd.negatives = 16384
  config.crd.tau = 0.07  # the original
  return config
