"""KD with fused global class relations (FGCR), on CUB-200-2011.

Command   python -m jaxkd.main --config=configs/cub_fgcr.py
          python -m jaxkd.main --config=configs/cub_fgcr.py:student=mobilenet_v2
          python -m jaxkd.main --config=configs/cub_fgcr.py:runlocal   (minutes, on CPUs)
Paper     Table 2, test accuracy (%): AlexNet 60.22, ShuffleNetV2 73.63, MobileNetV2 79.44.
Needs     ImageNet's weights, without which the paper's accuracies can't be reached:
          config.teacher.init_from, config.student.init_from.
Measured  nothing at full length yet. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import recipe


def get_config(arg=None):
  config = recipe("cub", arg, title="cub_fgcr", rows=("fgcr",))
  config.fgcr.lam = 0.5  # the authors' code for ATS; the paper leaves it open
  config.fgcr.tau = 4.0  # the field's default; the paper leaves it open
  config.fgcr.alpha = 0.5  # share of the class mean: 0.1 or 0.5 in the paper
  config.student_tau = 1.0  # the authors' code, for all rows; Eq. 2 has tau
  return config
