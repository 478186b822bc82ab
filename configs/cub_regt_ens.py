"""KD from a regularised teacher (RegT), two seeds together, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_regt_ens.py
          python -m jaxkd.main --config=configs/cub_regt_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_regt_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): AlexNet 62.11, ShuffleNetV2 75.64, MobileNetV2 80.82.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_regt_ens", rows=("regt", "regt+ens"))
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  config.regt.beta = 0.01  # 0.01 or 0.001; the paper doesn't say which it uses
  config.kd.lam = 0.5  # the authors' code for ATS; the paper leaves it open for KD
  config.kd.tau = 4.0  # the field's default; the paper leaves it open for KD
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  return config
