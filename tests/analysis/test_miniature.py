"""Hundreds of students at once end as if each were trained alone, and their gains are honest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxkd import demo, losses, methods
from jaxkd.analysis import gains, miniature
from jaxkd.analysis.miniature import Cell


@pytest.fixture
def tiny(monkeypatch):
  monkeypatch.setattr(miniature, "EPOCHS", 2)
  sizes = {"4": {"depth": 1, "width": 4}, "16": {"depth": 1, "width": 16}}
  for module in (miniature, gains):
    monkeypatch.setattr(module, "SIZES", sizes)


def test_a_student_ends_as_if_trained_alone_by_plain_sgd(tiny):
  parts = miniature._digits(2)
  (images, labels), test = ([part[1] for part in pair] for pair in parts)
  logits, _, _ = miniature._teachers(parts, methods.objective("cross_entropy"), {"width": 4})
  found = miniature._students(parts, methods.objective("kd"), logits, (), 3)
  assert found.shape == (2, miniature.PER_SIZE, 3)

  # Student 1 of teacher 1 of split 1, without the package's step, optimiser and schedule.
  model = miniature._create(miniature.STUDENT, jax.random.key(1000 + (1 * 2 + 1) * 3 + 1))
  graph, params = miniature.nnx.split(model)
  order_key, _ = jax.random.split(jax.random.key(1 * 2 + 1))
  velocity = jax.tree.map(jnp.zeros_like, params)

  @jax.jit
  def gradient(params, index):
    def loss(params):
      own = miniature.nnx.merge(graph, params)(images[index])
      return losses.kd(
        own, logits[1, 1][index], labels[index], lam=0.5, tau=4, student_tau=1
      ).mean()

    return jax.grad(loss)(params)

  for number in range(2 * 14):
    epoch, place = divmod(number, 14)
    order = jax.random.permutation(jax.random.fold_in(order_key, epoch), miniature.TRAIN_IMAGES)
    rate = 0.05 * 0.5 * (1 + np.cos(np.pi * number / 28))
    slope = gradient(params, order[64 * place : 64 * (place + 1)])
    velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, slope)
    params = jax.tree.map(lambda p, v, r=rate: p - r * v, params, velocity)
  predicted = jnp.argmax(miniature.nnx.merge(graph, params)(test[0]), axis=-1)
  # An image on the border of two classes may fall on either side.
  assert found[1, 1, 1] == pytest.approx(float(jnp.mean(predicted == test[1])), abs=2.5 / 900)


def test_splits_are_disjoint_and_differ():
  parts = miniature._digits(2)
  assert parts.train[1].shape == (2, 897)
  assert parts.test[1].shape == (2, 900)
  assert not np.array_equal(*parts.train[1])
  for train, test in zip(parts.train[0], parts.test[0], strict=True):
    both = [{x.tobytes() for x in np.asarray(images)} for images in (train, test)]
    assert not both[0] & both[1]


def cells_of(rng, noise=0.001):
  """Three splits with effects of their own, two teachers of each size, five students of each."""
  none = np.full((3, 2), np.nan)
  alone = rng.uniform(0.8, 0.9, (3, 2, 5))
  yield Cell("", "nokd", alone, none, none)
  for size, gain, variance in (("4", 0.05, 4e-3), ("16", 0.01, 1e-3)):
    own = alone + gain + noise * rng.normal(size=(3, 1, 1)) + 0.001 * rng.normal(size=(3, 2, 5))
    teachers, variances = np.full((3, 2), 0.9 - gain), np.full((3, 2), variance)
    yield Cell(size, "kd", own, teachers, variances)
    better = 0.01 + 0.0001 * rng.normal(size=(3, 1, 1)) if size == "16" else 0.0
    yield Cell(size, "isats", own + better, teachers, variances)


def test_gains_are_paired_and_a_splits_students_count_once(tiny):
  cells = list(cells_of(np.random.default_rng(0)))
  small, large = gains.table(cells)
  points = 100 * np.mean(cells[1].accuracies - cells[0].accuracies, axis=(1, 2))
  margin = stats.t.ppf(0.975, 2) * stats.sem(points)
  assert small["kd"] == f"{points.mean():+.2f} ± {margin:.2f}"
  assert small["its v(q) at 4"] == "4.00e-03"
  assert large["its accuracy (%)"] == "89.00"


def test_verdicts_state_mismatch_and_repair(tiny):
  text = " ".join(gains.verdicts(list(cells_of(np.random.default_rng(0)))))
  assert "16 hidden units are 4.00 points more accurate than those with 4" in text
  assert "1.00e-03, against 4.00e-03" in text
  assert "With kd, students gain less from the large teachers than from the small" in text
  assert "From the large teachers, isats gives more than kd (+0.99" in text


def test_verdicts_do_not_claim_what_splits_may_have_made(tiny):
  # Students of one split agree, but splits don't.
  text = " ".join(gains.verdicts(list(cells_of(np.random.default_rng(0), noise=0.1))))
  assert "With kd, students gain neither more nor less" in text


def test_regt_may_stand_alone(tiny):
  alone, kd, _, large, _ = cells_of(np.random.default_rng(0))
  cells = [alone, kd._replace(row="regt"), large._replace(row="regt")]
  assert gains.table(cells)[0]["its accuracy (%)"] == "85.00"
  assert len(gains.verdicts(cells)) == 2


def test_the_command_writes_a_report(tiny, command, tmp_path, capsys):
  command(demo.main, "--methods=kd,fgcr", "--splits=2", "--per_teacher=1", f"--workdir={tmp_path}")
  (folder,) = tmp_path.glob("demo-*")
  said = capsys.readouterr()
  assert "[5/5] fgcr: 4 students of teachers with 16 hidden units" in said.err
  assert "# Capacity mismatch in miniature" in said.out
  assert (folder / "gains.png").stat().st_size > 0
  assert len((folder / "gains.csv").read_text().splitlines()) == 1 + 5 * 2


@pytest.mark.parametrize(
  ("flag", "message"),
  [("--methods=kd,isat", "did you mean 'isats'"), ("--methods=kd,kd", "each once")],
)
def test_wrong_methods_are_refused(command, flag, message, capsys):
  with pytest.raises(SystemExit) as end:
    command(demo.main, flag)
  assert message in f"{end.value} {capsys.readouterr().err}"
