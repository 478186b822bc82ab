"""One student learns from several teachers."""

import jax.numpy as jnp
import numpy as np
import pytest
from views import KD, LABELS, TEACHER, S, T, outputs, whole

from jaxkd import losses, methods
from jaxkd.runs import planning


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("label", ["kd", "isats"])
def test_teacher_labels_are_averaged_by_weight(label, standardize):
  other = outputs(2)
  options = {
    "name": "multi",
    "lam": 1.0,
    "tau": 4.0,
    "student_tau": 1.0,
    "label": label,
    "gap": 1.0,
    "grid": losses.ISATS_GRID,
    "weights": (3.0, 1.0),
    "standardize": standardize,
  }
  comparable = losses.standardize if standardize else lambda logits: logits

  def probs(logits):
    logits = comparable(logits)
    if label == "kd":
      return losses.softmax(logits, 4.0)
    taus = losses.isats_temperatures(logits, LABELS)
    return losses.asymmetric_softmax(logits, LABELS, *taus)

  mean = 0.75 * probs(T) + 0.25 * probs(other.logits)
  expected = losses.distillation(comparable(S), LABELS, mean, lam=1.0, tau=1.0)
  np.testing.assert_allclose(whole(options, (TEACHER, other)), jnp.mean(expected), rtol=1e-5)


def test_one_teachers_label_is_that_of_its_row():
  options = {
    "name": "multi",
    "lam": 0.3,
    "tau": 4.0,
    "student_tau": 4.0,
    "label": "kd",
    "gap": 1.0,
    "grid": losses.ISATS_GRID,
    "networks": ("teacher",),
    "weights": (1.0,),
  }
  assert whole(options) == pytest.approx(whole(KD), rel=1e-6)


def test_the_teachers_default_to_both_teachers_of_the_config(tiny_config):
  assert planning.student(tiny_config, "multi", 0).teachers == (
    planning.teacher(tiny_config),
    planning.ExperimentPlan(tiny_config, 0).small_teacher(),
  )


def test_the_version_of_crd_identifies_the_contrastive_term(tiny_config, monkeypatch):
  def phases():
    without = planning.student(tiny_config, "multi", 0)
    tiny_config.multi.contrast = 0.5
    with_term = planning.student(tiny_config, "multi", 0)
    tiny_config.multi.contrast = 0.0
    return without, with_term

  before = phases()
  # The phase can be made again from what the store keeps of it.
  assert planning.objective_of(before[1]).contrast == 0.5
  monkeypatch.setattr(methods.find("crd"), "version", methods.find("crd").version + 1)
  after = phases()
  assert after[0] == before[0]
  assert after[1] != before[1]
