"""The correct guidance of the teacher's label is logged, and can be kept."""

import jax.numpy as jnp
import numpy as np
import pytest
from views import LABELS, S

from jaxkd import losses, methods
from jaxkd.methods import View
from jaxkd.models import Outputs

# For labels 0, 3, 1, 2 the teacher is right in all but the last example.
T = jnp.array([[6, 5, 1, 0, 0], [0, 1, 2, 9, 0], [3, 4, 3.5, 0, 1], [0, 7, 2, 1, 0.0]])
VIEW = View(Outputs(S), (Outputs(T),), LABELS)


@pytest.mark.parametrize(
  ("name", "probs", "misguided"),
  [
    *((name, lambda: losses.softmax(T, 4.0), [0, 0, 0, 1]) for name in ("kd", "sckd", "multi")),
    ("ats", lambda: losses.asymmetric_softmax(T, LABELS, 5.0, 3.0), [1, 0, 1, 1]),
    (
      "isats",
      lambda: losses.asymmetric_softmax(T, LABELS, *losses.isats_temperatures(T, LABELS)),
      [1, 0, 1, 1],
    ),
    ("fgcr", lambda: 0.5 * losses.softmax(T, 4.0) + 0.5 * jnp.eye(5)[LABELS], [0, 0, 0, 0]),
  ],
)
def test_methods_log_the_guidance_of_the_label(name, probs, misguided):
  options = {
    "ats": {"tau1": 5.0, "tau2": 3.0},
    "multi": {"networks": ("teacher",), "weights": (1.0,)},
  }.get(name, {})
  constants = {"sums": jnp.eye(5), "counts": jnp.ones((5, 1))} if name == "fgcr" else ()
  objective = methods.objective({"name": name, **options})
  _, logged = objective.loss(VIEW._replace(constants=constants))
  np.testing.assert_array_equal(logged["misguided"], misguided)
  expected = np.asarray(probs())[np.arange(4), LABELS]
  np.testing.assert_allclose(logged["label_probability"], expected, rtol=1e-6)


@pytest.mark.parametrize("options", [{"name": "ats", "tau1": 5.0, "tau2": 3.0}, {"name": "isats"}])
def test_kept_guidance_is_lost_by_the_teacher_alone(options):
  terms, logged = methods.objective({**options, "keep_guidance": True}).loss(VIEW)
  np.testing.assert_array_equal(logged["misguided"], [0, 0, 0, 1])
  taus = (5.0, 3.0) if options["name"] == "ats" else losses.isats_temperatures(T, LABELS)
  tau1, tau2 = losses.guided_temperatures(T, LABELS, *taus)
  expected = losses.ats(S, T, LABELS, lam=1.0, tau1=tau1, tau2=tau2)
  np.testing.assert_allclose(terms["soft"], 0.5 * expected, rtol=1e-6)
  # The examples that had the true class on top, and that of a wrong teacher, stay as they were.
  before, _ = methods.objective(options).loss(VIEW)
  np.testing.assert_array_equal(terms["soft"] == before["soft"], [False, True, False, True])


@pytest.mark.parametrize("name", ["ats", "isats"])
def test_an_extension_identifies_a_phase_only_where_it_is_used(name):
  plain = methods.identity(methods.objective(name))
  kept = methods.identity(methods.objective({"name": name, "keep_guidance": True}))
  assert "keep_guidance" not in plain
  assert kept == {**plain, "keep_guidance": True}
