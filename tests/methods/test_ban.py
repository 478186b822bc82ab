"""BAN's generations are students, each taught by the one before."""

import numpy as np
from references import cross_entropy, soft
from views import LABELS, STUDENT, TEACHER

from jaxkd import methods
from jaxkd.methods import View
from jaxkd.runs import planning

RECORDED = {"ban": (1, 4.87178)}


def test_bans_generations_form_a_chain_of_students(tiny_config):
  tiny_config.ban.generations = 2
  last = planning.student(tiny_config, "ban", 5)
  (second,) = last.teachers
  (first,) = second.teachers
  assert first.teachers == ()
  assert [p.objective["name"] for p in (first, second, last)] == ["cross_entropy", "ban", "ban"]
  assert {p.network["name"] for p in (first, second)} == {last.network["name"]}
  # The last generation starts where the student alone does; the others start elsewhere.
  assert last.seed == 5
  assert len({first.seed, second.seed, last.seed}) == 3


def test_ban_learns_the_probabilities_of_the_generation_before():
  terms, _ = methods.objective({"name": "ban", "lam": 0.75, "tau": 2}).loss(
    View(STUDENT, (TEACHER,), LABELS)
  )
  np.testing.assert_allclose(terms["hard"], 0.25 * cross_entropy(STUDENT.logits), rtol=1e-5)
  np.testing.assert_allclose(
    terms["soft"], 0.75 * soft(STUDENT.logits, TEACHER.logits, 2), rtol=1e-5
  )
