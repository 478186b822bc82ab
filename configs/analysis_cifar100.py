"""Distinctness of wrong-class probabilities against capacity, on CIFAR-100.

python -m jaxkd.analyze --config=configs/analysis_cifar100.py
python -m jaxkd.analyze --config=configs/analysis_cifar100.py:series=wrn
python -m jaxkd.analyze --config=configs/analysis_cifar100.py:runlocal
python -m jaxkd.analyze \
  --config=configs/analysis_cifar100.py:teachers=resnet14+resnet110,epochs=20 \
  --config.data.train_share=0.1 --config.analysis.seeds=0,1,2

The teachers are trained by the authors' recipe, 240 epochs unless it is said
(jaxkd/training/optim.py has two differences from their code);
the largest one also for shares of that, for Fig. 9 (without:
--config.analysis.stages='()'). Fig. 8 and the ATS paper's Fig. 3 need students.
Fig. 10 needs students of the largest teacher at thirty pairs of temperatures.
Networks that others trained are compared by `--weights=NETWORK=FILE`. ResNets as
published in chenyaofo/pytorch-cifar-models (six minutes on two CPU cores with 10,000
training images, config.analysis.examples=10000; docs/pages/results.md has the command;
the test accuracies are those that were published):

  network                   ResNet-20      -32      -44      -56
  test accuracy                 68.83    70.16    71.63    72.63
  v(q), tau 4, mean           1.36e-4  1.13e-4  8.32e-5  6.69e-5
  v(q), tau 4, median         9.80e-5  8.48e-5  6.43e-5  5.36e-5
  wrong class on top, ATS 4/3    45 %     27 %     13 %      7 %
  wrong class on top, tau 4       7 %      1 %    0.3 %    0.1 %

Observation 1 holds, on 82 % of the single images for ResNet-56 against ResNet-20.
Observation 2 holds weakly: Spearman's rho is 0.66 to 0.69, the paper's is above 0.85.
Each family of teachers has a panel of Fig. 8:
python -m jaxkd.analyze \
  --config=configs/analysis_cifar100.py:teachers=resnet20+resnet110+wrn28_1+wrn28_4 \
  --config.analysis.students=vgg8,shufflenet_v1,mobilenet_v2
python -m jaxkd.analyze --config=configs/analysis_cifar100.py \
  --config.analysis.students=vgg8 --config.analysis.grid=True
"""

from jaxkd.analysis.recipes import CIFAR_SERIES, analysis

_SERIES = {
  **CIFAR_SERIES,
  # The networks of Table 1.
  "table1": ("resnet20", "wrn28_3", "resnext29_64x4d"),
}


def get_config(arg=None):
  return analysis("cifar100", arg, _SERIES)
