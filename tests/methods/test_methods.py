"""Every row's phases, and every objective's terms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxkd import losses
from jaxkd.methods import objectives
from jaxkd.methods.objectives import View
from jaxkd.models import Outputs
from jaxkd.runs import rows

LABELS = jnp.array([0, 3, 1, 2])


def outputs(seed):
  logits = 3 * jax.random.normal(jax.random.key(seed), (4, 5))
  return Outputs(logits, logits, (), ())


STUDENT, TEACHER = outputs(0), outputs(1)
KD = {
  "name": "kd",
  "lam": 0.3,
  "tau": 4.0,
  "student_tau": None,
  "standardize": False,
  "until": 1.0,
}
S, T = STUDENT.logits, TEACHER.logits
STANDARDIZED = losses.standardize(S), losses.standardize(T)


def whole(options, teachers=(TEACHER,), constants=()):
  """The loss that a phase minimises, as the step adds it up."""
  terms, _ = objectives.objective(options).loss(View(STUDENT, teachers, LABELS, constants))
  return sum(float(jnp.mean(term)) for term in terms.values())


@pytest.mark.parametrize(
  ("options", "expected"),
  [
    ({"name": "cross_entropy"}, lambda: losses.cross_entropy(S, LABELS)),
    ({"name": "regt", "beta": 0.5}, lambda: losses.regt(S, LABELS, beta=0.5)),
    (
      {**KD, "student_tau": None},
      lambda: losses.kd(S, T, LABELS, lam=0.3, tau=4.0),
    ),
    (
      {**KD, "student_tau": 2.0},
      lambda: losses.kd(S, T, LABELS, lam=0.3, tau=4.0, student_tau=2.0),
    ),
    (
      {
        "name": "ats",
        "lam": 0.3,
        "tau1": 4.0,
        "tau2": 2.0,
        "student_tau": 1.0,
        "standardize": False,
      },
      lambda: losses.ats(S, T, LABELS, lam=0.3, tau1=4.0, tau2=2.0),
    ),
    (
      {
        "name": "isats",
        "lam": 0.3,
        "grid": [1.0, 2.0, 4.0],
        "gap": 0.5,
        "student_tau": 2.0,
        "standardize": False,
      },
      lambda: losses.isats(S, T, LABELS, lam=0.3, grid=(1.0, 2.0, 4.0), gap=0.5, student_tau=2.0),
    ),
    (
      {**KD, "standardize": True},
      lambda: (
        0.7 * losses.cross_entropy(S, LABELS)
        + 0.3
        * losses.kd(
          losses.standardize(S),
          losses.standardize(T),
          LABELS,
          lam=1.0,
          tau=4.0,
        )
      ),
    ),
    (
      # As the original of standardisation has it.
      {**KD, "lam": 0.9, "weight": 10.0, "tau": 2.0, "standardize": True},
      lambda: (
        0.1 * losses.cross_entropy(S, LABELS)
        + 9 * losses.kd(*STANDARDIZED, LABELS, lam=1.0, tau=2.0)
      ),
    ),
    (
      {
        "name": "dkd",
        "alpha": 9.0,
        "beta": 72.0,
        "tau": 2.0,
        "warmup": 0.0,
        "standardize": True,
      },
      lambda: (
        losses.cross_entropy(S, LABELS)
        + 9 * losses.dkd(*STANDARDIZED, LABELS, alpha=1.0, beta=8.0, tau=2.0)
      ),
    ),
    (
      {"name": "dkd", "alpha": 1.0, "beta": 8.0, "tau": 4.0, "warmup": 0.0},
      lambda: (
        losses.cross_entropy(S, LABELS) + losses.dkd(S, T, LABELS, alpha=1.0, beta=8.0, tau=4.0)
      ),
    ),
    (
      {"name": "rkd", "distance": 25.0, "angle": 50.0},
      lambda: jnp.mean(losses.cross_entropy(S, LABELS)) + losses.rkd(S, T),
    ),
    (
      {"name": "dist", "beta": 2.0, "gamma": 1.0, "tau": 4.0},
      lambda: losses.dist(S, T, LABELS, beta=2.0, gamma=1.0, tau=4.0),
    ),
  ],
)
def test_the_terms_add_up_to_the_public_loss(options, expected):
  teachers = () if options["name"] in ("cross_entropy", "regt") else (TEACHER,)
  np.testing.assert_allclose(whole(options, teachers), jnp.mean(expected()), rtol=1e-5)


@pytest.mark.parametrize("standardize", [False, True])
def test_fgcr_prepares_class_means_one_temperature_lower(standardize):
  options = {
    "name": "fgcr",
    "lam": 0.3,
    "tau": 4.0,
    "alpha": 0.1,
    "student_tau": None,
    "standardize": standardize,
  }
  objective = objectives.objective(options)
  # In two batches, each with an example that does not count.
  batches = (
    objective.prepare([T[:3]], LABELS[:3], jnp.array([True, True, False]), 5),
    objective.prepare([T[1:]], LABELS[1:], jnp.array([False, True, True]), 5),
  )
  constants = jax.tree.map(jnp.add, *batches)
  student, teacher = STANDARDIZED if standardize else (S, T)
  means = losses.class_mean_probabilities(teacher, LABELS, 5, tau=3.0)
  np.testing.assert_allclose(means[3], losses.softmax(teacher[1], 3.0), rtol=1e-6)
  soft = losses.fgcr(student, teacher, LABELS, means, lam=1.0, tau=4.0, alpha=0.1)
  expected = 0.7 * losses.cross_entropy(S, LABELS) + 0.3 * soft
  np.testing.assert_allclose(whole(options, constants=constants), jnp.mean(expected), rtol=1e-6)


def test_isats_reports_how_often_each_temperature_is_chosen():
  grid = (1.0, 2.0, 8.0)
  options = {"name": "isats", "lam": 0.5, "gap": 1.0, "student_tau": 1.0}
  options["standardize"] = False
  _, shares = objectives.objective({**options, "grid": grid}).loss(
    View(STUDENT, (TEACHER,), LABELS)
  )
  chosen = losses.optimal_temperature(T, LABELS, grid)
  for tau in grid:
    np.testing.assert_array_equal(shares[f"tau_star_{tau:g}"], chosen == tau)


def test_rows_share_a_teacher_under_every_seed(tiny_config):
  rows = ("kd", "ats", "isats", "fgcr", "dist")
  teachers = {rows.ROWS[row](tiny_config, seed).teachers for row in rows for seed in (0, 1)}
  assert teachers == {(rows.teacher(tiny_config),)}


def test_every_row_has_its_own_student(tiny_config):
  students = {row(tiny_config, 0) for row in rows.ROWS.values()}
  assert len(students) == len(rows.ROWS)


def test_each_row_has_the_phases_of_its_definition(tiny_config):
  chains = {
    name: [phase.loss["name"] for phase in row(tiny_config, 0).with_teachers()]
    for name, row in rows.ROWS.items()
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
    "reskd": ["cross_entropy", "kd", "reskd"],
    "dkd": ["cross_entropy", "dkd"],
    "rkd": ["cross_entropy", "rkd"],
    "at": ["cross_entropy", "at"],
    "fitnet": ["cross_entropy", "fitnet"],
    "crd": ["cross_entropy", "crd"],
    "multi": ["cross_entropy", "cross_entropy", "multi"],
  }


def test_the_contrast_with_several_teachers_has_the_options_of_crd(tiny_config):
  tiny_config.crd.negatives = 64
  plain = rows.ROWS["multi"](tiny_config, 0)
  assert plain.loss["contrast"] is None
  tiny_config.multi.contrast = 0.5
  assert rows.ROWS["multi"](tiny_config, 0).loss["contrast"] == {
    "weight": 0.5,
    "features": 128,
    "negatives": 64,
    "tau": 0.07,
  }


def test_a_residual_does_not_start_as_its_base(tiny_config):
  for seed in (0, 2**31, 2**32 - 1):
    residual = rows.ROWS["reskd"](tiny_config, seed)
    _, base = residual.teachers
    assert residual.network == base.network
    assert residual.seed != base.seed == seed
    assert 0 <= residual.seed < 2**32


def test_a_residual_may_be_another_network(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.student.init_from = str(file)
  residual = rows.ROWS["reskd"](tiny_config, 0)
  assert residual.network == residual.teachers[1].network
  tiny_config.reskd.network = "resnet8"
  residual = rows.ROWS["reskd"](tiny_config, 0)
  assert residual.optim == residual.teachers[1].optim
  assert residual.network == {
    "name": "resnet8",
    "dtype": "float32",
    "options": {},
  }
  tiny_config.reskd.init_from = str(file)
  residual = rows.ROWS["reskd"](tiny_config, 0)
  assert "init_from" in residual.network


def test_an_early_stopped_teacher_has_a_third_of_the_epochs(tiny_config):
  (early,) = rows.ROWS["eskd"](tiny_config, 0).teachers
  assert early.optim["epochs"] == pytest.approx(tiny_config.teacher.epochs / 3)


def test_assistants_are_distilled_one_from_the_other(tiny_config):
  tiny_config.takd.assistants = ("resnet14", "resnet8")
  chain = rows.ROWS["takd"](tiny_config, 0).with_teachers()
  assert [phase.network["name"] for phase in chain] == [
    "mlp",
    "resnet14",
    "resnet8",
    "mlp",
  ]


def test_a_network_with_a_section_is_as_the_section_says(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.teacher.name = "vgg8"
  tiny_config.teacher.options = {"feature_dim": 2}
  tiny_config.small_teacher.init_from = str(file)
  tiny_config.small_teacher.seed = 5
  large, small = (
    rows.teacher(tiny_config),
    rows.small_teacher(tiny_config),
  )
  for names in (("teacher", "small_teacher"), ("vgg8", "mlp")):
    tiny_config.multi.networks = tiny_config.takd.assistants = names
    assert rows.ROWS["multi"](tiny_config, 0).teachers == (large, small)
    first, *chain, _ = rows.ROWS["takd"](tiny_config, 0).with_teachers()
    assert first == large
    assert [phase.network for phase in chain] == [large.network, small.network]
    assert [phase.seed for phase in chain] == [large.seed, small.seed]


def test_a_network_without_a_section_is_trained_as_the_teacher_is(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.teacher.init_from = str(file)
  tiny_config.multi.networks = ("teacher", "vgg8")
  large, other = rows.ROWS["multi"](tiny_config, 0).teachers
  assert large == rows.teacher(tiny_config)
  assert other.optim == large.optim
  assert other.network == {"name": "vgg8", "dtype": "float32", "options": {}}
  # Its weights have an option of their own.
  tiny_config.multi.init_from = ("", str(file))
  assert rows.ROWS["multi"](tiny_config, 0).teachers[0] == large
  (_, other) = rows.ROWS["multi"](tiny_config, 0).teachers
  assert other.network["init_from"] == large.network["init_from"]


def test_several_teachers_labels_are_learnt_as_those_of_one(tiny_config):
  def loss_of(row):
    return rows.ROWS[row](tiny_config, 0).loss

  tiny_config.isats.student_tau = 2.0
  for label in ("kd", "isats"):
    tiny_config.multi.label = label
    for option in ("lam", "student_tau"):
      assert loss_of("multi")[option] == loss_of(label)[option]
  tiny_config.multi.student_tau = 3.0
  assert loss_of("multi")["student_tau"] == 3.0


def test_without_a_temperature_of_its_own_a_student_has_the_teachers():
  options = {
    "name": "multi",
    "lam": 0.3,
    "tau": 4.0,
    "student_tau": None,
    "label": "kd",
    "gap": 1.0,
    "grid": losses.ISATS_GRID,
    "weights": (1.0,),
    "contrast": None,
  }
  assert whole(options) == pytest.approx(whole(KD), rel=1e-6)


@pytest.mark.parametrize(
  ("loss", "option", "value"),
  [
    ("kd", "weight", 10.0),
    *((loss, "standardize", True) for loss in ("sckd", "fgcr", "dkd", "multi")),
  ],
)
def test_a_phase_names_what_is_new_only_where_it_is_in_use(loss, option, value, tiny_config):
  phase = rows.ROWS[loss](tiny_config, 0)
  assert option not in phase.loss
  tiny_config[loss][option] = value
  changed = rows.ROWS[loss](tiny_config, 0)
  assert changed.loss == {**phase.loss, option: value}
  assert changed != phase


def test_several_teachers_are_those_of_the_config_by_default(tiny_config):
  assert rows.ROWS["multi"](tiny_config, 0).teachers == (
    rows.teacher(tiny_config),
    rows.small_teacher(tiny_config),
  )


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("per", ["sample", "batch"])
def test_sckd_drops_the_soft_term_where_gradients_disagree(per, standardize):
  options = {"name": "sckd", "lam": 0.5, "tau": 4.0, "student_tau": None}
  options["standardize"] = standardize
  comparable = losses.standardize if standardize else lambda logits: logits

  def distilled(s):
    return losses.kd(comparable(s), comparable(T), LABELS, lam=1.0, tau=4.0)

  terms, diagnostics = objectives.objective({**options, "per": per}).loss(
    View(STUDENT, (TEACHER,), LABELS)
  )

  def gradient(loss):
    return jax.grad(lambda s: jnp.sum(loss(s)))(S)

  task = gradient(lambda s: losses.cross_entropy(s, LABELS))
  soft = gradient(distilled)
  products = np.sum(np.asarray(task) * np.asarray(soft), axis=-1)
  if per == "batch":
    products = np.full_like(products, products.sum())
  # The example is of no use if all agree.
  assert per == "batch" or 0 < np.mean(products >= 0) < 1
  np.testing.assert_array_equal(diagnostics["agreement"], products >= 0)
  np.testing.assert_allclose(
    terms["soft"], 0.5 * np.asarray(distilled(S)) * (products >= 0), rtol=1e-6
  )
  # The weight of the cross entropy is the same everywhere.
  np.testing.assert_allclose(
    terms["hard"], 0.5 * np.asarray(losses.cross_entropy(S, LABELS)), rtol=1e-6
  )


def test_distillation_may_end_before_the_run():
  objective = objectives.objective({**KD, "until": 0.6})
  for progress, weight in ((0.5, 0.3), (0.7, 0.0)):
    terms, _ = objective.loss(View(STUDENT, (TEACHER,), LABELS, progress=jnp.float32(progress)))
    hard = losses.cross_entropy(S, LABELS)
    np.testing.assert_allclose(terms["hard"], (1 - weight) * np.asarray(hard), rtol=1e-6)
    assert bool(jnp.any(terms["soft"] != 0)) == bool(weight)


def test_dkd_is_warmed_up():
  options = {"name": "dkd", "alpha": 1.0, "beta": 8.0, "tau": 4.0}
  objective = objectives.objective({**options, "warmup": 0.1})
  half, whole = (
    objective.loss(View(STUDENT, (TEACHER,), LABELS, progress=p))[0]
    for p in (jnp.float32(0.05), jnp.float32(0.5))
  )
  np.testing.assert_allclose(2 * half["decoupled"], whole["decoupled"], rtol=1e-5)


def test_a_residual_fits_the_gap_and_predicts_with_its_base():
  objective = objectives.objective({"name": "reskd", "lam": 0.25})
  base = outputs(2)
  view = View(STUDENT, (TEACHER, base), LABELS)
  terms, _ = objective.loss(view)
  s, t, b = (np.asarray(o.logits, np.float64) for o in (STUDENT, TEACHER, base))
  np.testing.assert_allclose(terms["soft"], 0.25 * np.mean((s - (t - b)) ** 2, axis=-1), rtol=1e-5)
  np.testing.assert_allclose(
    terms["hard"],
    0.75 * np.asarray(losses.cross_entropy(jnp.asarray(b + s), LABELS)),
    rtol=1e-5,
  )
  np.testing.assert_allclose(objective.predict(STUDENT, view.teachers), b + s, rtol=1e-6)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("label", ["kd", "isats"])
def test_several_teachers_labels_are_averaged_by_weight(label, standardize):
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
    "contrast": None,
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


def maps(seed, *sizes):
  """Outputs with stages of these sizes and channels."""
  keys = jax.random.split(jax.random.key(seed), len(sizes))
  stages = tuple(
    jax.nn.relu(jax.random.normal(key, (4, size, size, channels)))
    for key, (size, channels) in zip(keys, sizes, strict=True)
  )
  return STUDENT._replace(stages=stages)


def test_attention_is_compared_stage_by_stage_at_the_smaller_size():
  student = maps(0, (8, 3), (4, 5), (2, 2))
  teacher = maps(1, (4, 2), (8, 7))
  objective = objectives.objective({"name": "at", "weight": 10.0})
  terms, _ = jax.jit(objective.loss)(View(student, (teacher,), LABELS))

  def attention(features):
    features = np.asarray(features, np.float64)
    block = features.shape[1] // 4
    pooled = features.reshape(4, 4, block, 4, block, -1).mean((2, 4))
    energy = np.mean(pooled**2, axis=-1).reshape(4, -1)
    return energy / np.linalg.norm(energy, axis=-1, keepdims=True)

  # The teacher has no third stage.
  expected = sum(
    np.mean((attention(s) - attention(t)) ** 2, axis=-1)
    for s, t in zip(student.stages, teacher.stages, strict=False)
  )
  np.testing.assert_allclose(terms["attention"], 10 * expected, rtol=1e-5)


def test_attention_needs_maps():
  with pytest.raises(ValueError, match="stage 0 is not one of maps, of 1"):
    objectives.objective({"name": "at", "weight": 1.0}).loss(
      View(STUDENT._replace(stages=(S,)), (maps(1, (8, 3)),), LABELS)
    )


def test_fitnet_regresses_to_the_teachers_shape():
  student, teacher = maps(0, (8, 3), (4, 5)), maps(1, (8, 2), (2, 7))
  objective = objectives.objective({"name": "fitnet", "weight": 2.0, "stage": 1})
  regressor = objective.adapter(student, (teacher,), nnx.Rngs(0))
  terms, _ = objective.loss(View(student, (teacher,), LABELS, adapter=regressor))
  hint = regressor(student.stages[1], teacher.stages[1])
  assert hint.shape == teacher.stages[1].shape
  expected = np.mean((np.asarray(hint, np.float64) - teacher.stages[1]) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(terms["hint"], 2 * expected, rtol=1e-4)
  with pytest.raises(ValueError, match="stage 2 is not one of maps, of 2"):
    objectives.objective({"name": "fitnet", "weight": 1.0, "stage": 2}).adapter(
      student, (teacher,), nnx.Rngs(0)
    )
