"""KD with fused global class relations (FGCR), two seeds together, on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_fgcr_ens.py
          python -m jaxkd.main --config=configs/cub_fgcr_ens.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_fgcr_ens.py:runlocal   (minutes, on CPUs)
Paper     Table 3, test accuracy (%): AlexNet 61.94, ShuffleNetV2 76.84, MobileNetV2 80.37.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seeds 0, 1; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_fgcr_ens", rows=("fgcr", "fgcr+ens"))
  config.seeds = (0, 1)  # the paper: two students trained with different seeds
  config.fgcr.lam = 0.5  # the authors' code for ATS; the paper leaves it open
  config.fgcr.tau = 4.0  # the field's default; the paper leaves it open
  config.fgcr.alpha = 0.5  # share of the class mean: 0.1 or 0.5 in the paper
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
