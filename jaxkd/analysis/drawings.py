"""The figures that a study allows, each with the data behind it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxkd import losses, metrics
from jaxkd.analysis import figures, measure, rules
from jaxkd.analysis.measure import Measures
from jaxkd.analysis.study import Settings, Study, Teacher
from jaxkd.reports.tables import Lines

# What can't be seen of the bars of Fig. 1 and 9.
_TRUTH = (
  "The bar of the ground truth comes first and is cut where it exceeds the "
  "others' scale; p_y is its probability."
)

# The paper's Fig. 5 looks at so many classes at most.
_MOST_COMMON = 8


class Drawing(NamedTuple):
  """A figure of the report.

  Attributes:
    name: of its files.
    figure: with its caption.
    lines: the data that it shows.
  """

  name: str
  figure: Figure
  lines: Lines


def draw(study: Study, measures: Measures, settings: Settings) -> Iterator[Drawing]:
  """Yields the figures of the teachers, in the paper's order.

  Left out: Fig. 2 and 4 unless all features are of two dimensions (Fig. 2 also
  of three), Fig. 3 without features, Fig. 7 without known groups of classes,
  Fig. 9 over training without its stages.
  """
  example = typical_example(study, measures)
  dimensions = {values.shape[1] for values in study.features.values()}
  yield _softened_labels(study, settings, example)
  if dimensions in ({2}, {3}):
    yield _feature_scatter(study)
  if measures.angles:
    yield _feature_angles(study, measures)
  if dimensions == {2} and (weights := _last_layers(study)):
    yield _class_directions(study, weights, example)
  yield _topk_overlap(study)
  yield _agreement(study, measures, settings)
  if set().union(*rules.CIFAR100_GROUPS.values()) <= set(study.rule_names):
    yield _group_posteriors(study, settings)
  yield _confidence_by_capacity(study, settings, example)
  if study.stages:
    yield _confidence_by_training(study, settings, example)
  yield _confidence_by_temperature(study, settings, example)
  yield _derived_curves(study)


def typical_example(study: Study, measures: Measures) -> int:
  """Returns the example that shows observation 1 neither much nor little.

  Of those that all teachers name correctly (of all, if there are none) the one
  with the median ratio of the smallest to the largest teacher's derived
  variance.
  """
  of = [measures.examples[name] for name in study.names]
  correct = np.all([examples.correct for examples in of], axis=0)
  rows = np.flatnonzero(correct if correct.any() else ~correct)
  with np.errstate(divide="ignore", invalid="ignore"):
    ratios = of[0].derived_variance[rows] / of[-1].derived_variance[rows]
  return int(rows[np.argsort(ratios, kind="stable")[len(rows) // 2]])


def caption(study: Study, text: str) -> str:
  """Returns a caption: what is shown, of what, and what is approximated."""
  return f"{text} {study.context}"


def _of_example(study: Study, example: int) -> str:
  name = study.class_names[study.labels[example]]
  return f"example {example}, of class {name}"


def _softened(teacher: Teacher, example: int, tau: float) -> np.ndarray:
  return np.asarray(losses.softmax(teacher.logits[example], tau))


def _label_lines(study: Study, labels: dict[str, np.ndarray], what: str) -> Lines:
  return [
    {what: level, "class": name, "probability": float(value)}
    for level, probs in labels.items()
    for name, value in zip(study.class_names, probs, strict=True)
  ]


def _softened_labels(study: Study, settings: Settings, example: int) -> Drawing:
  probs = {t.name: _softened(t, example, settings.tau) for t in study.teachers}
  figure = figures.softened_labels(
    probs,
    int(study.labels[example]),
    caption=caption(
      study,
      f"Fig. 1. Softened probabilities at τ = {settings.tau:g} of "
      f"{_of_example(study, example)}, a typical one. {_TRUTH}",
    ),
  )
  return Drawing("fig1", figure, _label_lines(study, probs, "network"))


def _feature_scatter(study: Study) -> Drawing:
  accuracies = {t.name: t.test_accuracy for t in study.teachers if t.test_accuracy is not None}
  known = len(accuracies) == len(study.teachers)
  above = f"; above, {study.split} accuracy" if known else ""
  figure = figures.feature_scatter(
    study.features,
    study.labels,
    accuracies=accuracies if known else None,
    caption=caption(study, f"Fig. 2. Penultimate features by class{above}."),
  )
  lines = [
    {
      "network": name,
      "class": study.class_names[label],
      **dict(zip("xyz", map(float, point), strict=False)),
    }
    for name, points in study.features.items()
    for label, point in zip(study.labels, points, strict=True)
  ]
  return Drawing("fig2", figure, lines)


def _feature_angles(study: Study, measures: Measures) -> Drawing:
  figure = figures.feature_angles(
    measures.angles,
    caption=caption(
      study,
      "Fig. 3. Angles between penultimate features, mean and standard "
      "deviation over all pairs of examples.",
    ),
  )
  lines = [{"network": name, **angles._asdict()} for name, angles in measures.angles.items()]
  return Drawing("fig3", figure, lines)


def _last_layers(study: Study) -> dict[str, np.ndarray]:
  """Returns each last layer's weights `[C, D]`, if no layer has a bias.

  Found from what it made of the features, which determines it.
  """
  weights = {}
  for teacher in study.teachers:
    features, logits = study.features[teacher.name], teacher.logits
    solved, *_ = np.linalg.lstsq(features, logits)
    if np.ptp(features @ solved - logits) > 1e-2 * np.ptp(logits):
      return {}
    weights[teacher.name] = solved.T
  return weights


def _class_directions(study: Study, weights: dict[str, np.ndarray], example: int) -> Drawing:
  features = {name: v[example] for name, v in study.features.items()}
  figure = figures.class_directions(
    weights,
    features,
    int(study.labels[example]),
    caption=caption(
      study,
      "Fig. 4. Weights of the classes (arrows, relative to the longest) and "
      "the feature (triangle, of length 1) of "
      f"{_of_example(study, example)}. f_y is the logit of its class, σ(g) the "
      "standard deviation of the others'; numbers are labels.",
    ),
  )
  lines = [
    {"network": name, "what": what, "x": float(x), "y": float(y)}
    for name, rows in weights.items()
    for what, (x, y) in [
      *zip(study.class_names, rows, strict=True),
      ("feature", features[name]),
    ]
  ]
  return Drawing("fig4", figure, lines)


def _topk_overlap(study: Study) -> Drawing:
  small, large = study.teachers[0], study.teachers[-1]
  most = min(_MOST_COMMON, small.logits.shape[1])
  distributions = [
    np.asarray(metrics.topk_overlap(small.logits, large.logits, k)) for k in range(1, most + 1)
  ]
  figure = figures.topk_overlap(
    {f"{small.name}, {large.name}": distributions},
    caption=caption(
      study,
      "Fig. 5. Number of common classes in the two teachers' top K, percent of the examples.",
    ),
  )
  lines = [
    {"K": k, "common classes": common, "fraction": float(value)}
    for k, distribution in enumerate(distributions, 1)
    for common, value in enumerate(distribution)
  ]
  return Drawing("fig5", figure, lines)


def _agreement(study: Study, measures: Measures, settings: Settings) -> Drawing:
  titles = {
    "overlap": f"rank set overlap, K = {settings.k}",
    "spearman": "Spearman's ρ",
    "kendall": "Kendall's τ",
  }
  names = study.names
  # The agreement of each with itself is empty: it would set the colours' scale.
  shape = len(names), len(names)
  matrices = {title: np.full(shape, np.nan) for title in titles.values()}
  for found in measures.comparisons:
    i, j = names.index(found.small), names.index(found.large)
    for field, title in titles.items():
      matrices[title][[i, j], [j, i]] = getattr(found, field)
  figure = figures.agreement(
    names,
    matrices,
    caption=caption(
      study,
      "Fig. 6. Agreement of each pair of teachers on the order of the classes, "
      "mean over the examples; colours from 0 to 1.",
    ),
  )
  lines = [
    {
      "smaller": found.small,
      "larger": found.large,
      **{title: getattr(found, field) for field, title in titles.items()},
    }
    for found in measures.comparisons
  ]
  return Drawing("fig6", figure, lines)


def _group_posteriors(study: Study, settings: Settings) -> Drawing:
  groups, names = rules.CIFAR100_GROUPS, study.rule_names
  posteriors = {
    t.name: np.asarray(
      losses.class_mean_probabilities(
        jnp.asarray(t.logits),
        jnp.asarray(study.labels),
        len(names),
        settings.tau,
      )
    )
    for t in study.teachers
  }
  figure = figures.group_posteriors(
    posteriors,
    names,
    groups,
    caption=caption(
      study,
      f"Fig. 7. Mean probabilities at τ = {settings.tau:g} of the examples of "
      "the class above each panel; area and colour are the probability, on the "
      "panel's own scale. The open rings are that class itself, whose "
      "probability is left out.",
    ),
  )
  lines = [
    {
      "network": network,
      "examples of": target,
      "class": name,
      "probability": float(values[names.index(target), names.index(name)]),
    }
    for network, values in posteriors.items()
    for target, *_ in groups.values()
    for members in groups.values()
    for name in members
  ]
  return Drawing("fig7", figure, lines)


def _confidence(
  study: Study,
  levels: Sequence[tuple[str, Teacher, float]],
  example: int,
  name: str,
  xlabel: str,
  text: str,
) -> Drawing:
  """Draws Fig. 9 over levels: what each is called, of whom, at which tau."""
  labels = {level: _softened(teacher, example, tau) for level, teacher, tau in levels}
  means = {
    level: measure.mean_variance(teacher.logits, study.labels, tau)
    for level, teacher, tau in levels
  }
  label = int(study.labels[example])
  variances = {
    level: float(metrics.derived_variance(jnp.asarray(probs), jnp.int32(label)))
    for level, probs in labels.items()
  }
  figure = figures.confidence(
    list(labels.values()),
    label,
    list(labels),
    xlabel=xlabel,
    means=list(means.values()),
    caption=caption(
      study,
      f"Fig. 9. {text}, for {_of_example(study, example)}: above, at most four "
      "of the labels; below, the variance of the wrong classes in all of them. "
      f"{_TRUTH}",
    ),
  )
  lines = [
    {
      **line,
      "derived variance": variances[str(line[xlabel])],
      "mean derived variance": means[str(line[xlabel])],
    }
    for line in _label_lines(study, labels, xlabel)
  ]
  return Drawing(f"fig9-{name}", figure, lines)


def _confidence_by_capacity(study: Study, settings: Settings, example: int) -> Drawing:
  tau = settings.tau
  return _confidence(
    study,
    [(teacher.name, teacher, tau) for teacher in study.teachers],
    example,
    "capacity",
    "network",
    f"The teachers' labels at τ = {tau:g}, from the smallest teacher to the largest",
  )


def _confidence_by_training(study: Study, settings: Settings, example: int) -> Drawing:
  tau = settings.tau
  return _confidence(
    study,
    [(stage.name, stage, tau) for stage in study.stages],
    example,
    "training",
    "training",
    f"The label of {study.names[-1]} at τ = {tau:g} after more and more "
    "training, each time from the start with a whole schedule",
  )


def _confidence_by_temperature(study: Study, settings: Settings, example: int) -> Drawing:
  largest = study.teachers[-1]
  return _confidence(
    study,
    [(f"τ = {tau:g}", largest, tau) for tau in sorted(settings.grid, reverse=True)],
    example,
    "temperature",
    "temperature",
    f"The label of {largest.name} at falling temperatures",
  )


def _derived_curves(study: Study) -> Drawing:
  small, large = study.teachers[0], study.teachers[-1]
  # The temperatures of the ATS curve are those of its authors' code.
  shown: Sequence[tuple[str, Teacher, tuple[float, float]]] = (
    (f"{small.name}, TS", small, (1.0, 1.0)),
    (f"{large.name}, TS", large, (1.0, 1.0)),
    (f"{large.name}, ATS", large, (1.25, 0.75)),
  )
  curves = {
    name: measure.temperature_curves(teacher.logits, study.labels, ratios)
    for name, teacher, ratios in shown
  }
  figure = figures.derived_curves(
    measure.TAUS,
    {name: averages for name, (averages, _) in curves.items()},
    {name: variances for name, (_, variances) in curves.items()},
    caption=caption(
      study,
      "ATS paper, Fig. 7. Derived average and derived variance of the "
      "teachers' labels against temperature, mean over the examples, the "
      "variance on a logarithmic scale; ATS with τ1 = 1.25 τ, τ2 = 0.75 τ.",
    ),
  )
  lines = [
    {
      "label": name,
      "tau": tau,
      "derived average": float(average),
      "derived variance": float(variance),
    }
    for name, values in curves.items()
    for tau, average, variance in zip(measure.TAUS, *values, strict=True)
  ]
  return Drawing("ats-fig7", figure, lines)
