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
