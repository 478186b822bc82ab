"""Teachers and students whose measures are known."""

from typing import Any

import numpy as np

from jaxkd.analysis import measure
from jaxkd.analysis.measure import Comparison, Findings, Measures, PerExample
from jaxkd.analysis.study import MeasuredStudent, MeasuredTeacher, Settings, Study

SETTINGS = Settings()


def study(*logits, labels=(0, 1, 2, 0), **fields):
  teachers = tuple(
    MeasuredTeacher(f"net{number}", np.asarray(values, np.float32))
    for number, values in enumerate(logits)
  )
  num_classes = logits[0].shape[1]
  return Study(
    "title",
    teachers,
    np.asarray(labels, np.int32),
    fields.pop("class_names", tuple(map(str, range(num_classes)))),
    "About.",
    **fields,
  )


def findings(*studies, settings=SETTINGS):
  """Returns studies with their measures."""
  return Findings(studies, settings, [measure.measure(study, settings) for study in studies])


def unmeasured(study, settings=SETTINGS):
  """Returns a study for figures that need no measures."""
  return Findings([study], settings, [Measures({}, {}, [])])


def examples(variance, correct=True):
  """Returns measures per example: a derived variance, a correctness, and zeros."""
  variance = np.atleast_1d(variance).astype(float)
  fields: dict[str, Any] = dict.fromkeys(PerExample._fields, 0 * variance)
  fields["correct"] = np.broadcast_to(correct, variance.shape)
  fields["derived_variance"] = variance
  return PerExample(**fields)


def measures(variances=(), rhos=(), correct=True):
  """Returns measures with the given variances and correlations; the rest is arbitrary."""
  return Measures(
    examples={
      f"net{number}": examples(variance, correct) for number, variance in enumerate(variances)
    },
    calibration={},
    comparisons=[Comparison("a", "b", 1, 1, 1, 1, 1, 1, r, r / 2, r) for r in rhos],
  )


def student(teacher, method, *accuracies, network="mlp", **fields):
  fields = {"epochs": 240.0, "alone": 50.0, **fields}
  mean = float(np.mean(accuracies))
  return MeasuredStudent(
    network=network,
    teacher=teacher,
    method=method,
    accuracies=accuracies,
    seeds=tuple(range(len(accuracies))),
    derived_average=0.1,
    derived_variance=mean,
    **fields,
  )
