"""Combined methods: the weighted sum of whole losses."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from test_versions import outputs

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.methods import View
from jaxkd.runs import listing, planning
from jaxkd.runs.phase import Phase
from jaxkd.runs.validation import validate
from jaxkd.tuning import grid

SINGLE = ("kd", "isats", "fgcr", "crd", "at", "dist")
SMALL = {"crd": {"negatives": 8, "features": 4}}


def value(options, labels, key=None):
  """Terms of the loss of a method on a fixed batch."""
  method = methods.objective(options)
  rng = np.random.default_rng(0)
  student, teacher = outputs(rng), outputs(rng)
  constants = method.prepare and method.prepare((teacher,), labels, labels >= 0, 5)
  adapter = method.adapter and method.adapter(student, (teacher,), nnx.Rngs(0))
  view = View(student, (teacher,), labels, constants, jnp.float32(0.5), adapter, key=key)
  terms, diagnostics = method.loss(view)
  return jax.tree.map(jnp.mean, (terms, diagnostics))


def test_the_terms_of_a_combined_method_are_those_of_its_members():
  labels = jnp.array([0, 3, 1, 2])
  rows = [*itertools.pairwise(SINGLE), ("crd", "kd", "at")]

  @jax.jit
  def all_terms():
    alone = {name: value({"name": name, **SMALL.get(name, {})}, labels) for name in SINGLE}
    combined = {}
    for row in rows:
      own = {name: SMALL.get(name, {}) for name in row}
      weights = {name: 0.5 * place for place, name in enumerate(row, 1)}
      combined[row] = value({"name": "+".join(row), "weights": weights, **own}, labels)
    return alone, combined

  alone, combined = all_terms()
  for row, (terms, diagnostics) in combined.items():
    expected = {
      f"{name}_{key}": 0.5 * place * term
      for place, name in enumerate(row, 1)
      for key, term in alone[name][0].items()
    }
    assert terms.keys() == expected.keys()
    assert len(diagnostics) == sum(len(alone[name][1]) for name in row)
    for name, term in terms.items():
      np.testing.assert_allclose(term, expected[name], rtol=1e-5, err_msg=f"{row} {name}")


def test_crd_and_kd_equal_repdistillers_combination():
  labels = jnp.array([0, 3, 1, 2])
  kd = {"lam": 1.0, "tau": 4.0, "student_tau": 4.0}
  terms, _ = value({"name": "crd+kd", "crd": SMALL["crd"], "kd": kd}, labels)
  rng = np.random.default_rng(0)
  s, t = (np.asarray(outputs(rng).logits, np.float64) for _ in range(2))

  def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

  cross_entropy = -log_softmax(s)[np.arange(4), np.asarray(labels)].mean()
  # -r 1 -a 1 -b 0.8: the cross entropy, KL divergence at 4 times 16, and 0.8 CRD.
  teacher = np.exp(log_softmax(t / 4))
  entropy = -(teacher * log_softmax(t / 4)).sum(axis=1).mean()
  kl = (teacher * (log_softmax(t / 4) - log_softmax(s / 4))).sum(axis=1).mean()
  np.testing.assert_allclose(terms["crd_cross_entropy"], cross_entropy, rtol=1e-5)
  assert terms["kd_hard"] == 0
  np.testing.assert_allclose(terms["kd_soft"], 16 * (kl + entropy), rtol=1e-5)


def student(config, row):
  return planning.student(config, row, 0)


def of_networks(config):
  """The config with networks that have maps."""
  for network in (config.teacher, config.small_teacher, config.student):
    network.name, network.options = "tests.tiny_networks:TinyNet", {}
  config.small_teacher.seed = 5
  config.takd.assistants = ("tests.tiny_networks:TinyNet",)
  return config


def test_the_phase_of_a_row_has_both_methods_and_survives_json(tiny_config):
  config = of_networks(tiny_config)
  config.rows = ("crd+kd",)
  validate(config)
  phase = student(config, "crd+kd")
  assert phase.teachers == student(config, "kd").teachers
  assert phase.name == "digits-tests.tiny_networks.TinyNet-crd.kd"
  method = planning.objective_of(Phase.from_dict(phase.to_dict()))
  assert method == planning.method(config, "crd+kd")
  assert [part.name for part in method.members] == ["crd", "kd"]


@pytest.mark.parametrize("option", ["crd.weight", "kd.lam", "combined.crd", "combined.kd"])
def test_options_and_versions_of_both_methods_change_the_identity(tiny_config, option, monkeypatch):
  config = of_networks(tiny_config)
  before, kd = student(config, "crd+kd"), student(config, "kd")
  section, key = option.split(".")
  config[section][key] = 0.3
  assert student(config, "crd+kd") != before
  if section == "combined":
    assert student(config, "kd") == kd
  else:
    config[section][key] = {"crd.weight": 0.8, "kd.lam": 0.5}[option]
    monkeypatch.setattr(methods.find(section), "version", 99)
    assert student(config, "crd+kd") != before


@pytest.mark.parametrize(
  ("row", "message"),
  [
    ("crd+kdd", "'crd[+]kdd', must be one of .*; did you mean 'crd[+]kd'"),
    ("kd+kd", "'kd[+]kd': each method must come once"),
    ("stkd+at", "'stkd[+]at': 'stkd' and 'at' have different teachers"),
    ("takd+at", "'takd' and 'at' have different teachers"),
    ("regt+crd", "'regt' and 'crd' have different teachers"),
    ("dml+kd", "'dml' can't be combined, since it trains peers"),
    ("sckd+kd", "'sckd' can't be combined, since it weighs its terms"),
    ("simkd+kd", "'simkd' can't be combined, since it adds layers"),
    ("reskd+kd", "'reskd' can't be combined, since it predicts with its teachers"),
  ],
)
def test_methods_that_do_not_fit_together_are_refused(tiny_config, row, message):
  config = of_networks(tiny_config)
  config.rows = (row,)
  with pytest.raises(ConfigError, match=f"^config.rows .*{message}"):
    validate(config)


def test_a_weight_must_be_positive(tiny_config):
  config = of_networks(tiny_config)
  config.rows, config.combined.kd = ("crd+kd",), 0.0
  with pytest.raises(ConfigError, match=r"^config.combined.kd is 0.0, must be a number > 0"):
    validate(config)


def test_tune_and_explain_take_a_combined_row(tiny_config):
  config = of_networks(tiny_config)
  options = grid.options(config, "at+kd")
  assert {"at.weight", "kd.lam", "kd.tau", "combined.at", "combined.kd"} <= options.keys()
  assert not {"combined.crd", "crd.weight"} & options.keys()
  assert grid.default("at+kd") == grid.default("kd")
  listed = {each.name for each in listing.matching(listing.options(config), "at+kd")}
  assert {"at.weight", "kd.lam", "combined.at", "combined.kd"} <= listed
  config.tuned = {"at+kd": {"at": {"weight": 7.0}}}
  validate(config)
  assert student(config, "at+kd").objective["at"]["weight"] == 7.0


def test_a_combined_row_trains_and_is_reported(tiny_config, run_experiment, tmp_path):
  config = of_networks(tiny_config)
  config.rows = ("fgcr+ctkd",)
  text = (run_experiment(config, tmp_path) / "report.md").read_text()
  assert "fgcr+ctkd" in text
  assert "1 fgcr: " in text
  (phase,) = planning.phases(config, "fgcr+ctkd")
  lines = (tmp_path / phase.folder / "metrics.jsonl").read_text()
  assert '"train_fgcr_soft"' in lines
  assert '"train_ctkd_tau"' in lines
