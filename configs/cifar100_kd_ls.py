"""KD with logit standardisation (Sun et al., CVPR 2024), on CIFAR-100.

Command   python -m jaxkd.main --config=configs/cifar100_kd_ls.py
          python -m jaxkd.main --config=configs/cifar100_kd_ls.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cifar100_kd_ls.py:runlocal   (minutes, on CPUs)
Paper     no figure. Test accuracy (%) of its KD, Table 2: VGG8 71.35, ShuffleNetV1 71.86,
          MobileNetV2 65.49.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cifar100", arg, title="cifar100_kd_ls", rows=("kd",))
  # The values of the original: z-scores, 0.1 times the cross entropy, 9 times the soft term.
  config.kd.standardize = True
  config.kd.tau = config.kd.student_tau = 2.0
  config.kd.lam = 0.9
  config.kd.weight = 10.0
  return config
