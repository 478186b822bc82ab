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
  monkeypatch.setattr(miniature, "PER_SIZE", 2)
  monkeypatch.setattr(gains, "PER_SIZE", 2)
  sizes = {"4": {"depth": 1, "width": 4}, "16": {"depth": 1, "width": 16}}
  for module in (miniature, gains):
    monkeypatch.setattr(module, "SIZES", sizes)
  monkeypatch.setattr(gains, "_SMALL", "4")
  monkeypatch.setattr(gains, "_LARGE", "16")


def test_a_student_ends_as_if_trained_alone_by_plain_sgd(tiny):
  parts = miniature._digits(0)
  images, labels = parts.train
  logits, _, _ = miniature._teachers(parts, methods.objective("cross_entropy"), {"width": 4})
  found = miniature._students(parts, methods.objective("kd"), logits, (), 3)

  # Student 1 of teacher 1, without the package's step, optimiser and schedule.
  model = miniature._create(miniature.STUDENT, jax.random.key(1000 + 1 * 3 + 1))
  graph, params = miniature.nnx.split(model)
  order_key, _ = jax.random.split(jax.random.key(1))
  velocity = jax.tree.map(jnp.zeros_like, params)

  @jax.jit
  def gradient(params, index):
    def loss(params):
      own = miniature.nnx.merge(graph, params)(images[index])
      return losses.kd(own, logits[1][index], labels[index], lam=0.5, tau=4, student_tau=1).mean()

    return jax.grad(loss)(params)

  for number in range(2 * 14):
    epoch, place = divmod(number, 14)
    order = jax.random.permutation(jax.random.fold_in(order_key, epoch), miniature.TRAIN_IMAGES)
    rate = 0.05 * 0.5 * (1 + np.cos(np.pi * number / 28))
    slope = gradient(params, order[64 * place : 64 * (place + 1)])
    velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, slope)
    params = jax.tree.map(lambda p, v, r=rate: p - r * v, params, velocity)
  predicted = jnp.argmax(miniature.nnx.merge(graph, params)(parts.test[0]), axis=-1)
  # An image on the border of two classes may fall on either side.
  assert found[1, 1] == pytest.approx(float(jnp.mean(predicted == parts.test[1])), abs=2.5 / 900)
  assert found.shape == (2, 3)


def test_splits_are_disjoint_and_differ():
  first, second = miniature._digits(0), miniature._digits(1)
  assert len(first.train[1]) == 897
  assert len(first.test[1]) == 900
  assert not np.array_equal(first.train[1], second.train[1])
  # No image is in both parts, but for duplicates among the digits themselves.
  train, test = ({x.tobytes() for x in np.asarray(p[0])} for p in (first.train, first.test))
  assert len(train & test) == 0


def cells_of(rng):
  """Two splits, two teachers of each size, five students of each."""
  none = np.full(2, np.nan)
  for split in range(2):
    alone = rng.uniform(0.8, 0.9, (2, 5))
    yield Cell(split, "", "nokd", alone, none, none)
    for size, gain, variance in (("4", 0.05, 4e-3), ("16", 0.01, 1e-3)):
      accuracies = alone + gain + 0.001 * rng.normal(size=(2, 5))
      teachers, variances = np.full(2, 0.9 - gain), np.full(2, variance)
      yield Cell(split, size, "kd", accuracies, teachers, variances)
      better = 0.01 if size == "16" else 0.0
      yield Cell(split, size, "isats", accuracies + better, teachers, variances)


def test_gains_are_paired_and_a_teachers_students_count_once(tiny):
  cells = list(cells_of(np.random.default_rng(0)))
  small, large = gains.table(cells)
  means = [
    100 * np.mean(cells[i].accuracies - cells[j].accuracies, axis=1) for i, j in ((1, 0), (6, 5))
  ]
  points = np.concatenate(means)
  margin = stats.t.ppf(0.975, 3) * stats.sem(points)
  assert small["kd"] == f"{points.mean():+.2f} ± {margin:.2f}"
  assert small["its v(q) at 4"] == "4.00e-03"
  assert large["its accuracy (%)"] == "89.00"


def test_verdicts_state_mismatch_and_repair(tiny):
  text = " ".join(gains.verdicts(list(cells_of(np.random.default_rng(0)))))
  assert "16 hidden units are 4.00 points more accurate than those with 4" in text
  assert "4.0 times smaller" in text
  assert (
    "With kd, students gain less from the large teachers than from the small ones (-4.0" in text
  )
  assert "From the large teachers, isats gives more than kd (+1.00" in text


def test_verdicts_do_not_claim_what_chance_may_have_made(tiny):
  rng = np.random.default_rng(0)
  noisy = [
    cell._replace(accuracies=cell.accuracies + 0.1 * rng.normal(size=(2, 5)))
    for cell in cells_of(rng)
  ]
  text = " ".join(gains.verdicts(noisy))
  assert "With kd, students gain neither more nor less" in text


def test_the_command_writes_a_report(tiny, command, tmp_path, capsys):
  command(demo.main, "--rows=kd,fgcr", "--splits=1", "--students=2", f"--workdir={tmp_path}")
  (folder,) = tmp_path.glob("demo-*")
  said = capsys.readouterr()
  assert "[5/5] fgcr: 4 students of teachers with 16 hidden units" in said.err
  assert "# Capacity mismatch in miniature" in said.out
  assert (folder / "gains.png").stat().st_size > 0
  assert len((folder / "gains.csv").read_text().splitlines()) == 1 + 5 * 2


@pytest.mark.parametrize(
  ("flag", "message"), [("--rows=kd,isat", "did you mean 'isats'"), ("--rows=kd,kd", "each once")]
)
def test_wrong_rows_are_refused(command, flag, message, capsys):
  with pytest.raises(SystemExit) as end:
    command(demo.main, flag)
  assert message in f"{end.value} {capsys.readouterr().err}"
