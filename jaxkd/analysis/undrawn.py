"""Which of the papers' figures a report lacks, and what would make them."""

from collections.abc import Collection

_NEEDS = {
  "fig2": "Fig. 2, features by class, needs features of two or three "
  "dimensions: networks with the option feature_dim, as in "
  "configs/analysis_mnist.py and configs/analysis_svhn.py.",
  "fig3": "Fig. 3, angles between features, needs features: an array of that "
  "name in every file of --logits.",
  "fig4": "Fig. 4, the classes' weights and a feature, needs features of two "
  "dimensions and last layers without bias: networks with the option "
  "feature_dim=2, as in configs/analysis_mnist.py.",
  "fig7": "Fig. 7, probabilities within groups of classes, needs the classes "
  "of CIFAR-100: configs/analysis_cifar100.py.",
  "table1": "Table 1, agreement with rules, needs the classes of CIFAR-100 or "
  "Digits-Five: configs/analysis_cifar100.py or "
  "configs/analysis_digits_five.py.",
  "fig8": "Fig. 8, students' accuracy against capacity, needs students of two "
  "teachers: --config.analysis.students=NAME,NAME,... trains them.",
  "fig9-training": "Fig. 9 over training needs the largest teacher after fewer "
  "epochs: --config.analysis.stages=SHARE,SHARE,... trains it, unless it is a "
  "checkpoint.",
  "ats-fig3": "ATS paper, Fig. 3, improvement against the labels' statistics, "
  "needs three students that have also been trained alone: "
  "--config.analysis.students=NAME,NAME,... with nokd among --config.rows "
  "trains them.",
  "ats-fig10": "ATS paper, Fig. 10, accuracy by temperatures, needs students "
  "of the largest teacher under ATS: --config.analysis.grid=True trains those "
  "of --config.analysis.students.",
}


def undrawn(names: Collection[str]) -> list[str]:
  """Returns what each missing figure needs, and what makes it appear.

  Args:
    names: of the figures and tables that there are.

  Examples:
    >>> [text.partition(",")[0] for text in undrawn(_NEEDS.keys() - {"fig2"})]
    ['Fig. 2']
  """
  return [
    text for wanted, text in _NEEDS.items() if not any(name.startswith(wanted) for name in names)
  ]
