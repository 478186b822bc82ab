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


def test_a_distillation_token_learns_the_teachers_class_alone():
  rng = np.random.default_rng(1)
  own, second = rng.normal(size=(2, *STUDENT.logits.shape))
  student = STUDENT._replace(heads=(own, second), logits=(own + second) / 2)
  method = methods.objective({"name": "deit", "lam": 0.3})
  terms, _ = method.loss(View(student, (TEACHER,), LABELS))
  predicted = np.argmax(np.asarray(TEACHER.logits), -1)
  np.testing.assert_allclose(terms["hard"], 0.7 * cross_entropy(own), rtol=1e-5)
  np.testing.assert_allclose(terms["soft"], 0.3 * cross_entropy(second, predicted), rtol=1e-5)
  np.testing.assert_array_equal(method.predict(student, ()), student.logits)
