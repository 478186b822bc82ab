"""KD from the small teacher, on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_stkd.py
          python -m jaxkd.main --config=configs/cifar100_stkd.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_stkd.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): VGG8 72.30, ShuffleNetV1 73.22, MobileNetV2 66.56.
Measured  nothing at full length yet. VGG8, 30 epochs, batches of 256, learning rate
          0.1, bfloat16: 68.94 ± 0.21 %, three seeds, one H100, 2026-11-26; command on the
          docs page Results. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_stkd", rows=("stkd",))
  config.kd.lam = 0.5  # the authors' code for ATS; the paper leaves it open for KD
  config.kd.tau = 4.0  # the field's default; the paper leaves it open for KD
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
