"""DGKD learns from the teacher and all assistants."""

import jax
import numpy as np
import pytest
from references import cross_entropy, soft
from views import LABELS, STUDENT, TEACHER, outputs

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.methods import View
from jaxkd.runs import planning

RECORDED = {"dgkd": (1, 24.1805)}


def test_all_earlier_networks_teach_dgkds_assistants_and_student(tiny_config):
  tiny_config.teacher.name, tiny_config.teacher.options = "resnet20", {}
  tiny_config.takd.assistants = ("resnet14", "resnet8")
  last = planning.student(tiny_config, "dgkd", 0)
  teacher, first, second = last.teachers
  assert teacher.objective["name"] == "cross_entropy"
  assert first.teachers == (teacher,)
  assert second.teachers == (teacher, first)
  assert {p.objective["name"] for p in (first, second, last)} == {"dgkd"}
  tiny_config.takd.assistants = ()
  with pytest.raises(ConfigError, match=r"config\.takd\.assistants is"):
    planning.student(tiny_config, "dgkd", 0)


@pytest.mark.parametrize("drop", [0, 1, 2, 3])
def test_dgkd_adds_the_terms_of_the_teachers_that_are_kept(drop):
  teachers = TEACHER, outputs(2), outputs(3)
  method = methods.objective({"name": "dgkd", "lam": 0.25, "tau": 3, "drop": drop})
  each = np.array([soft(STUDENT.logits, teacher.logits, 3) for teacher in teachers])
  seen = set()
  for number in range(20):
    terms, _ = method.loss(View(STUDENT, teachers, LABELS, key=jax.random.key(number)))
    np.testing.assert_allclose(terms["hard"], 0.75 * cross_entropy(STUDENT.logits), rtol=1e-5)
    kept = np.linalg.lstsq(each.T, np.asarray(terms["soft"]) / 0.25, rcond=None)[0]
    seen.add(tuple(np.round(kept, 2).tolist()))
  # Three teachers can't all be dropped.
  expected = 3 if drop in (0, 3) else 3 - drop
  assert {sum(kept) for kept in seen} == {expected}
  assert len(seen) == (1 if drop in (0, 3) else 3)
