"""KD with logit standardisation from the large teacher, on CIFAR-100.

python -m jaxkd.main --config=configs/cifar100_kd_ls.py
python -m jaxkd.main --config=configs/cifar100_kd_ls.py:student=mobilenet_v2
python -m jaxkd.main --config=configs/cifar100_kd_ls.py:runlocal

The values of Sun et al., Logit Standardization in Knowledge Distillation, CVPR
2024: 0.1 times the cross entropy, 9 times the soft term, base temperature 2.

The paper has no figure for it; test accuracy (%) of its KD, Table 2: VGG8 71.35,
ShuffleNetV1 71.86, MobileNetV2 65.49.

Hardware: one GPU. No run of full length has been timed yet; `runlocal` is for
CPUs.
"""

from jaxkd.runs import recipes


def get_config(arg=None):
  config = recipes.cifar100(arg, "cifar100_kd_ls")
  config.rows = ("kd",)
  config.paper.accuracies = {}
  config.kd.standardize = True
  config.kd.tau = 2.0
  config.kd.lam = 0.9
  config.kd.weight = 10.0
  return config
