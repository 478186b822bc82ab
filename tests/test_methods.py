"""Every row's phases, and every objective's terms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkd import losses, methods
from jaxkd.models import Outputs

LABELS = jnp.array([0, 3, 1, 2])


def outputs(seed):
  logits = 3 * jax.random.normal(jax.random.key(seed), (4, 5))
  return Outputs(logits, logits, (), ())


STUDENT, TEACHER = outputs(0), outputs(1)
S, T = STUDENT.logits, TEACHER.logits


def whole(options, teachers=(TEACHER,), constants=()):
  """The loss that a phase minimises, as the step adds it up."""
  terms, _ = methods.objective(options).loss(
    STUDENT, teachers, LABELS, constants
  )
  return sum(float(jnp.mean(term)) for term in terms.values())


@pytest.mark.parametrize(
  ("options", "expected"),
  [
    ({"name": "cross_entropy"}, lambda: losses.cross_entropy(S, LABELS)),
    ({"name": "regt", "beta": 0.5}, lambda: losses.regt(S, LABELS, beta=0.5)),
    (
      {"name": "kd", "lam": 0.3, "tau": 4.0, "student_tau": None},
      lambda: losses.kd(S, T, LABELS, lam=0.3, tau=4.0),
    ),
    (
      {"name": "kd", "lam": 0.3, "tau": 4.0, "student_tau": 2.0},
      lambda: losses.kd(S, T, LABELS, lam=0.3, tau=4.0, student_tau=2.0),
    ),
    (
      {"name": "ats", "lam": 0.3, "tau1": 4.0, "tau2": 2.0, "student_tau": 1.0},
      lambda: losses.ats(S, T, LABELS, lam=0.3, tau1=4.0, tau2=2.0),
    ),
    (
      {
        "name": "isats",
        "lam": 0.3,
        "grid": [1.0, 2.0, 4.0],
        "gap": 0.5,
        "student_tau": 2.0,
      },
      lambda: losses.isats(
        S, T, LABELS, lam=0.3, grid=(1.0, 2.0, 4.0), gap=0.5, student_tau=2.0
      ),
    ),
    (
      {"name": "dist", "beta": 2.0, "gamma": 1.0, "tau": 4.0},
      lambda: losses.dist(S, T, LABELS, beta=2.0, gamma=1.0, tau=4.0),
    ),
  ],
)
def test_the_terms_add_up_to_the_public_loss(options, expected):
  teachers = () if options["name"] in ("cross_entropy", "regt") else (TEACHER,)
  np.testing.assert_allclose(
    whole(options, teachers), jnp.mean(expected()), rtol=1e-5
  )


def test_fgcr_prepares_class_means_one_temperature_lower():
  options = {
    "name": "fgcr",
    "lam": 0.3,
    "tau": 4.0,
    "alpha": 0.1,
    "student_tau": None,
  }
  objective = methods.objective(options)
  means = objective.prepare([T], LABELS, 5)
  np.testing.assert_allclose(means[3], losses.softmax(T[1], 3.0), rtol=1e-6)
  expected = losses.fgcr(S, T, LABELS, means, lam=0.3, tau=4.0, alpha=0.1)
  np.testing.assert_allclose(
    whole(options, constants=means), jnp.mean(expected), rtol=1e-6
  )


def test_isats_reports_how_often_each_temperature_is_chosen():
  grid = (1.0, 2.0, 8.0)
  options = {"name": "isats", "lam": 0.5, "gap": 1.0, "student_tau": 1.0}
  _, shares = methods.objective({**options, "grid": grid}).loss(
    STUDENT, (TEACHER,), LABELS, ()
  )
  chosen = losses.optimal_temperature(T, LABELS, grid)
  for tau in grid:
    np.testing.assert_array_equal(shares[f"tau_star_{tau:g}"], chosen == tau)


def test_rows_share_a_teacher_under_every_seed(tiny_config):
  rows = ("kd", "ats", "isats", "fgcr", "dist")
  teachers = {
    methods.ROWS[row](tiny_config, seed).teachers
    for row in rows
    for seed in (0, 1)
  }
  assert teachers == {(methods.teacher(tiny_config),)}


def test_every_row_has_its_own_student(tiny_config):
  students = {row(tiny_config, 0) for row in methods.ROWS.values()}
  assert len(students) == len(methods.ROWS)


def test_each_row_has_the_phases_of_its_definition(tiny_config):
  chains = {
    name: [phase.loss["name"] for phase in row(tiny_config, 0).with_teachers()]
    for name, row in methods.ROWS.items()
  }
  assert chains == {
    "nokd": ["cross_entropy"],
    "stkd": ["cross_entropy", "kd"],
    "kd": ["cross_entropy", "kd"],
    "eskd": ["cross_entropy", "kd"],
    "takd": ["cross_entropy", "kd", "kd"],
    "sckd": ["cross_entropy", "sckd"],
    "dist": ["cross_entropy", "dist"],
    "ats": ["cross_entropy", "ats"],
    "fgcr": ["cross_entropy", "fgcr"],
    "regt": ["regt", "kd"],
    "isats": ["cross_entropy", "isats"],
  }


def test_an_early_stopped_teacher_has_a_third_of_the_epochs(tiny_config):
  (early,) = methods.eskd(tiny_config, 0).teachers
  assert early.optim["epochs"] == pytest.approx(tiny_config.teacher.epochs / 3)


def test_assistants_are_distilled_one_from_the_other(tiny_config):
  tiny_config.takd.assistants = ("resnet14", "resnet8")
  chain = methods.takd(tiny_config, 0).with_teachers()
  assert [phase.network["name"] for phase in chain] == [
    "mlp",
    "resnet14",
    "resnet8",
    "mlp",
  ]


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_sckd_drops_the_soft_term_where_gradients_disagree(per):
  options = {"name": "sckd", "lam": 0.5, "tau": 4.0, "student_tau": None}
  terms, diagnostics = methods.objective({**options, "per": per}).loss(
    STUDENT, (TEACHER,), LABELS, ()
  )

  def gradient(loss):
    return jax.grad(lambda s: jnp.sum(loss(s)))(S)

  task = gradient(lambda s: losses.cross_entropy(s, LABELS))
  soft = gradient(lambda s: losses.kd(s, T, LABELS, lam=1.0, tau=4.0))
  products = np.sum(np.asarray(task) * np.asarray(soft), axis=-1)
  if per == "batch":
    products = np.full_like(products, products.sum())
  # The example is of no use if all agree.
  assert per == "batch" or 0 < np.mean(products >= 0) < 1
  np.testing.assert_array_equal(diagnostics["agreement"], products >= 0)
  plain = losses.kd(S, T, LABELS, lam=1.0, tau=4.0)
  np.testing.assert_allclose(
    terms["soft"], 0.5 * np.asarray(plain) * (products >= 0), rtol=1e-6
  )
