"""CRD and KD together, as CRD's authors combine them, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_crd_kd.py
          python -m jaxkd.main --config=configs/cifar100_crd_kd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_crd_kd.py:runlocal   (minutes, on CPUs)
Paper     no figure.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_crd_kd", rows=("crd+kd",))
  # RepDistiller's script, -r 1 -a 1 -b 0.8: cross entropy + KD + 0.8 CRD. CRD has the cross entropy.
  config.combined.crd = config.combined.kd = 1.0
  config.crd.weight = 0.8
  config.crd.features = 128  # the original: length of the embeddings
  # Length of the memory; the original draws as many negatives from all examples.
  config.crd.negatives = 16384
  config.crd.tau = 0.07  # the original
  config.kd.lam = 1.0  # the soft term alone
  config.kd.tau = 4.0  # RepDistiller
  config.student_tau = 4.0  # RepDistiller, as Eq. 2
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
