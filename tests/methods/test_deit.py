"""DeiT learns the label and the teacher's class."""

import numpy as np
from references import cross_entropy
from views import LABELS, STUDENT, TEACHER

from jaxkd import methods
from jaxkd.methods import View

RECORDED = {"deit": (1, 3.63652)}


def test_deit_learns_the_label_and_the_teachers_class():
  terms, scalars = methods.objective({"name": "deit", "lam": 0.3}).loss(
    View(STUDENT, (TEACHER,), LABELS)
  )
  predicted = np.argmax(np.asarray(TEACHER.logits), -1)
  np.testing.assert_allclose(terms["hard"], 0.7 * cross_entropy(STUDENT.logits), rtol=1e-5)
  np.testing.assert_allclose(
    terms["soft"], 0.3 * cross_entropy(STUDENT.logits, predicted), rtol=1e-5
  )
  np.testing.assert_array_equal(scalars["teacher_accuracy"], predicted == np.asarray(LABELS))
