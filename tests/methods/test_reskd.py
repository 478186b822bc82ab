"""ResKD fits the gap, and predicts with its base."""

import jax.numpy as jnp
import numpy as np
from views import LABELS, STUDENT, TEACHER, outputs

from jaxkd import losses, methods
from jaxkd.methods import View
from jaxkd.runs import planning


def test_a_residual_fits_the_gap_and_predicts_with_its_base():
  objective = methods.objective({"name": "reskd", "lam": 0.25})
  base = outputs(2)
  view = View(STUDENT, (TEACHER, base), LABELS)
  terms, _ = objective.loss(view)
  s, t, b = (np.asarray(o.logits, np.float64) for o in (STUDENT, TEACHER, base))
  np.testing.assert_allclose(terms["soft"], 0.25 * np.mean((s - (t - b)) ** 2, axis=-1), rtol=1e-5)
  np.testing.assert_allclose(
    terms["hard"], 0.75 * np.asarray(losses.cross_entropy(jnp.asarray(b + s), LABELS)), rtol=1e-5
  )
  np.testing.assert_allclose(objective.predict(STUDENT, view.teachers), b + s, rtol=1e-6)


def test_a_residual_has_another_seed_than_its_base(tiny_config):
  for seed in (0, 2**31, 2**32 - 1):
    residual = planning.student(tiny_config, "reskd", seed)
    _, base = residual.teachers
    assert residual.network == base.network
    assert residual.seed != base.seed == seed
    assert 0 <= residual.seed < 2**32


def test_a_residual_can_be_another_network(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.student.init_from = str(file)
  residual = planning.student(tiny_config, "reskd", 0)
  assert residual.network == residual.teachers[1].network
  tiny_config.reskd.network = "resnet8"
  residual = planning.student(tiny_config, "reskd", 0)
  assert residual.schedule == residual.teachers[1].schedule
  assert (residual.network["name"], residual.network["options"]) == ("resnet8", {})
  assert "init_from" not in residual.network
  tiny_config.reskd.init_from = str(file)
  residual = planning.student(tiny_config, "reskd", 0)
  assert "init_from" in residual.network
