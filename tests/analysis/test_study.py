"""What is measured, drawn and said of teachers whose answers are known."""

from typing import Any

import numpy as np
import pytest

from jaxkd.analysis import (
  drawings,
  measure,
  page,
  rules,
  student_drawings,
  summary,
  verdicts,
)
from jaxkd.analysis.measure import Comparison, Examples, Measures
from jaxkd.analysis.study import Settings, Student, Study, Teacher
from jaxkd.reports import tables

_RNG: Any = np.random.default_rng(0)


def study(*logits, labels=(0, 1, 2, 0), **fields):
  teachers = tuple(
    Teacher(f"net{number}", np.asarray(values, np.float32)) for number, values in enumerate(logits)
  )
  num_classes = logits[0].shape[1]
  return Study(
    "title",
    teachers,
    np.asarray(labels, np.int32),
    fields.pop("class_names", tuple(map(str, range(num_classes)))),
    "About.",
    **fields,
  )


def examples(variance, correct=True):
  """Returns what only has a derived variance and a correctness."""
  variance = np.atleast_1d(variance).astype(float)
  fields: dict[str, Any] = dict.fromkeys(Examples._fields, 0 * variance)
  fields["correct"] = np.broadcast_to(correct, variance.shape)
  fields["derived_variance"] = variance
  return Examples(**fields)


def measures(variances=(), rhos=(), correct=True):
  """Returns measures of which only these have a meaning."""
  return Measures(
    examples={
      f"net{number}": examples(variance, correct) for number, variance in enumerate(variances)
    },
    calibration={},
    comparisons=[Comparison("a", "b", 1, 1, 1, 1, 1, r, r / 2, r) for r in rhos],
    angles={},
    rules=[],
  )


def test_measures_follow_their_definitions():
  logits = [_RNG.normal(size=(4, 5)) for _ in range(2)]
  found = study(*logits)
  settings = Settings(tau=2.0, k=3)
  measured = measure.measure(found, settings)
  for name, values in zip(found.names, logits, strict=True):
    got = measured.examples[name]
    for row, label in enumerate(found.labels):
      probs = np.exp(values[row] / 2)
      probs /= probs.sum()
      wrong = np.delete(values[row], label)
      np.testing.assert_allclose(got.label_logit[row], values[row, label], 1e-5)
      np.testing.assert_allclose(got.wrong_deviation[row], wrong.std(), 1e-5)
      np.testing.assert_allclose(got.derived_variance[row], np.delete(probs, label).var(), 1e-4)
      tempered = values[row] / 1.5
      tempered[label] = values[row, label] / 2.5
      probs = np.exp(tempered) / np.exp(tempered).sum()
      np.testing.assert_allclose(got.ats_variance[row], np.delete(probs, label).var(), 1e-4)
  (pair,) = measured.comparisons
  small, large = (e.derived_variance for e in measured.examples.values())
  assert pair.less_distinct == pytest.approx(small.mean() / large.mean())
  assert pair.share == np.mean(large < small)
  raised = measured.examples["net1"].isats_variance.mean()
  assert pair.raised == pytest.approx(raised / large.mean())
  assert pair.restored == pytest.approx(raised / small.mean())


def test_comparisons_are_averaged_over_seeds():
  seeds = [measures(rhos=rhos) for rhos in [(0.5, 0.8), (0.7, 0.9)]]
  first, second = measure.mean_comparisons(seeds)
  assert (first.small, first.large) == ("a", "b")
  assert (first.spearman, second.kendall) == pytest.approx((0.6, 0.425))


def test_tables_of_several_seeds():
  found = [study(*_RNG.normal(size=(2, 4, 5)))._replace(seed=seed) for seed in (3, 4)]
  measured = [measure.measure(one, Settings()) for one in found]
  shown, data = page._tables(found, measured, Settings())
  kept = data["pairs"]
  assert [line["seed"] for line in kept] == [3, 4]
  rho = [m.comparisons[0].spearman for m in measured]
  assert [line["Spearman's ρ"] for line in kept] == rho
  (pair,) = shown["pairs"]
  assert (pair["smaller"], pair["larger"]) == ("net0", "net1")
  cell: Any = pair["Spearman's ρ"]
  assert cell.mean == pytest.approx(np.mean(rho))
  assert cell.deviation == pytest.approx(abs(rho[0] - rho[1]) / 2**0.5)
  # People see both; a column is sorted by the mean.
  assert tables.shown(cell) == f"{cell.mean:.4g} ± {cell.deviation:.2g}"
  assert f'data-value="{cell.mean}"' in tables.as_html(shown["pairs"])
  # One seed is a table as ever.
  shown, data = page._tables(found[:1], measured[:1], Settings())
  assert shown == data
  assert shown["pairs"][0]["Spearman's ρ"] == rho[0]


@pytest.mark.parametrize("accuracy", [97.0, None])
def test_the_split_of_the_accuracies_is_named(accuracy):
  logits, features = _RNG.normal(size=(4, 5)), np.eye(4, 2, dtype=np.float32)
  found = study(logits, logits, split="validation")
  teachers = tuple(t._replace(features=features, test_accuracy=accuracy) for t in found.teachers)
  found = found._replace(teachers=teachers)
  measured = measure.measure(found, Settings())
  columns = summary.tables(found, measured, Settings())["teachers"][0]
  assert ("validation accuracy (%)" in columns) == (accuracy is not None)
  assert "test accuracy (%)" not in columns
  (text,) = drawings._feature_scatter(found).figure.texts
  named = "above, validation accuracy" in text.get_text().replace("\n", " ")
  assert named == (accuracy is not None)


def test_the_notes_name_the_seeds():
  found = [study(np.zeros((4, 5)))._replace(seed=seed) for seed in (3, 4)]
  assert "of the seeds 3, 4: mean ±" in page._notes(found, Settings())
  assert "seed" not in page._notes(found[:1], Settings())


def test_blocks_do_not_matter(monkeypatch):
  values, labels = _RNG.normal(size=(10, 5)), np.arange(10) % 5
  whole = measure.temperature_curves(values, labels, (1.25, 0.75))
  monkeypatch.setattr(measure, "_BLOCK", 4)
  parts = measure.temperature_curves(values, labels, (1.25, 0.75))
  np.testing.assert_allclose(whole, parts, rtol=1e-5)


def test_a_network_that_tells_nothing_apart():
  found = study(np.zeros((4, 5)), _RNG.normal(size=(4, 5)))
  (pair,) = measure.measure(found, Settings()).comparisons
  assert pair.less_distinct == 0
  assert np.isinf(pair.restored)
  assert np.isnan(pair.spearman)


def test_the_typical_example_is_right_and_in_the_middle():
  # The last example has the middle ratio, but one teacher is wrong about it.
  measured = measures([[1, 8, 4, 2, 3], [1, 1, 1, 1, 1]])
  found = study(*[np.zeros((5, 5))] * 2, labels=range(5))
  assert drawings.typical_example(found, measured) == 4
  wrong = [True, True, True, True, False]
  measured = measures([[1, 8, 4, 2, 3], [1, 1, 1, 1, 1]], correct=wrong)
  assert drawings.typical_example(found, measured) == 2


@pytest.mark.parametrize("suffix", ["_tree", ""])
def test_rules_and_groups_of_cifar100(suffix):
  logits = _RNG.normal(size=(200, 100))
  found = study(
    logits,
    2 * logits,
    labels=np.arange(200) % 100,
    class_names=tuple(
      name.removesuffix("_tree") + suffix * name.endswith("_tree")
      for name in rules.CIFAR100_CLASSES
    ),
  )
  table = list(measure._rules(found, tau=4.0))
  assert [(line.teacher, line.rule) for line in table] == [
    (f"net{net}", f"C.{rule}") for net in range(2) for rule in range(1, 6)
  ]
  measured = Measures({}, {}, [], {}, table)
  first, *_, last = summary._table_1(measured, Settings(tau=3.0))
  assert list(first.values()) == list(table[0])
  assert first["probabilities' order"].startswith("hamster > mouse > rabbit >")
  assert last == {
    "network": "net1",
    "rule": "average",
    "probabilities' order": "",
    "Kendall's τ": pytest.approx(np.mean([one.kendall for one in table[5:]])),
    "deviation of all but the first, τ = 3": pytest.approx(
      np.mean([one.deviation for one in table[5:]])
    ),
  }
  names = rules.CIFAR100_CLASSES
  ((hamster, *others),) = rules.label_chains(rules.CIFAR100_RULES[0], names)
  probs = np.exp(logits[found.labels == hamster] / 4)
  probs /= probs.sum(axis=-1, keepdims=True)
  assert table[0].deviation == pytest.approx(probs[:, others].std(axis=-1).mean(), rel=1e-4)
  cell = next(
    line
    for line in drawings._group_posteriors(found, Settings()).lines
    if (line["network"], line["examples of"], line["class"]) == ("net0", "hamster", "rose")
  )
  rose = probs[:, names.index("rose")].mean()
  assert cell["probability"] == pytest.approx(rose, rel=1e-4)


def test_fig_9_comes_with_its_variances():
  found = study(*_RNG.normal(size=(2, 4, 5)))
  drawing = drawings._confidence_by_capacity(found, Settings(tau=2.0), 3)
  for line in drawing.lines:
    (logits,) = (t.logits for t in found.teachers if t.name == line["network"])
    probs = np.exp(logits / 2)
    probs /= probs.sum(axis=-1, keepdims=True)
    wrong = [np.delete(p, label).var() for p, label in zip(probs, found.labels, strict=True)]
    assert line["derived variance"] == pytest.approx(wrong[3], rel=1e-4)
    mean = np.mean(wrong)
    assert line["mean derived variance"] == pytest.approx(mean, rel=1e-4)


def test_last_layers_are_found_in_features():
  weights, features = _RNG.normal(size=(5, 2)), _RNG.normal(size=(30, 2))
  logits = features @ weights.T

  def with_features(logits):
    teachers = tuple(
      Teacher(name, logits.astype(np.float32), features.astype(np.float32)) for name in ("a", "b")
    )
    return study(logits)._replace(teachers=teachers)

  found = drawings._last_layers(with_features(logits))
  np.testing.assert_allclose(found["a"], weights, atol=1e-4)
  # A layer with a bias is another figure.
  assert drawings._last_layers(with_features(logits + np.arange(5))) == {}


@pytest.mark.parametrize(
  ("variances", "text"),
  [
    ((3, 2, 1), "holds: derived variance falls with every step in capacity"),
    (
      (3, 4, 1),
      "holds from the smallest to the largest teacher, but not in every step: "
      "derived variance does not clearly fall from net0 to net1 (",
    ),
    ((3, 2.99, 1), "does not clearly fall from net0 to net1 ("),
    ((1, 2, 3), "does not hold"),
    ((3, 1, 2.99), "is undecided: the largest teacher's derived variance is"),
  ],
)
def test_observation_1(variances, text):
  said = verdicts.observation_1([measures(variances)], Settings())
  assert text in said
  assert "at τ = 4: net0 " in said


@pytest.mark.parametrize(
  ("seeds", "text"),
  [
    (
      [(3, 1), (5, 4)],
      "holds: derived variance falls with every step in capacity (at τ = 4: net0 4, net1 2.5).",
    ),
    (
      [(3, 1), (4, 4.1)],
      "is undecided: the largest teacher's derived variance "
      "is clearly lower than the smallest's under 1 of 2 seeds",
    ),
    ([(3, 4), (4, 5)], "does not hold"),
  ],
)
def test_observation_1_under_several_seeds(seeds, text):
  said = verdicts.observation_1([*map(measures, seeds)], Settings())
  assert text in said


@pytest.mark.parametrize(
  ("rhos", "text"),
  [
    ((0.9, 0.95, 0.8), "holds: "),
    (
      (0.84,),
      "holds weakly: Spearman's ρ is 0.84; 0 of 1 pairs are above 0.85, in the "
      "paper most are; Kendall's τ is 0.42.",
    ),
    ((0.9, np.nan), "Kendall's τ is 0.45; pairs without an order: 1."),
    ((np.nan,), "can't be judged: there is no example on which"),
    ((0.9, 0.6, 0.8), "holds weakly"),
    (
      (0.9, 0.6, 0.1),
      "does not hold: Spearman's ρ is 0.10 to 0.90; 1 of 3 pairs are above "
      "0.85, in the paper most are; Kendall's τ is 0.05 to 0.45.",
    ),
  ],
)
def test_observation_2(rhos, text):
  assert text in verdicts.observation_2(measures(rhos=rhos).comparisons)


@pytest.mark.parametrize(
  ("fields", "text"),
  [
    ({"less_distinct": 12.3}, "are 12 times less distinct at τ = 4"),
    ({"less_distinct": 0.5}, "are 2.0 times more distinct at τ = 4, unlike"),
    ({"less_distinct": 1.02}, "are as distinct as the smaller one's"),
    (
      {"raised": 0.25},
      "lowers their derived variance 4.0 times, to 1.50 times",
    ),
    ({"raised": 1.0}, "leaves their derived variance at 1.50 times"),
    ({"spearman": 0.6}, "agree on the order of the classes less than in"),
    ({"spearman": 0.1}, "do not agree on the order of the classes"),
    (
      {"less_distinct": np.inf, "raised": np.inf},
      "are not distinct at all at τ = 4: in float32 their variance is 0 (lower "
      "derived variance on 90 % of the examples). ISATS raises their derived "
      "variance from 0 to 1.50 times the smaller teacher's.",
    ),
    (
      {"less_distinct": 0.0, "restored": np.inf},
      "distinct at τ = 4, where the smaller one's are not at all",
    ),
    (
      {"restored": np.inf},
      "4.0 times, to more than the smaller teacher's, which is 0.",
    ),
    ({"raised": 0.0, "restored": 0.0}, "lowers their derived variance to 0.00"),
    ({"spearman": np.nan}, "alike can't be said: there is no example on which"),
  ],
)
def test_a_pair_in_words(fields, text):
  pair = Comparison("a", "b", 2.0, 0.9, 4.0, 1.5, 0.8, 0.9, 0.8, 0.8)
  said = verdicts.pair(pair._replace(**fields), Settings())
  assert text in said
  assert "inf " not in said
  assert "nan" not in said


@pytest.mark.parametrize(
  ("correct", "said"),
  [
    ([True] * 15 + [False], "has fitted only 93.8 % of these examples"),
    ([True] * 31 + [False], ""),
  ],
)
def test_teachers_that_have_not_fitted(correct, said):
  large = examples(np.ones(len(correct)), correct)
  found = measures((3, 1))
  found.examples["net1"] = large
  text = verdicts.observation_1([found], Settings())
  assert said in text
  assert ("fitted" in text) == bool(said)


def student(teacher, method, *accuracies, network="mlp", **fields):
  fields = {"epochs": 240.0, "alone": 50.0, **fields}
  mean = float(np.mean(accuracies))
  return Student(
    network=network,
    teacher=teacher,
    method=method,
    accuracies=accuracies,
    seeds=tuple(range(len(accuracies))),
    derived_average=0.1,
    derived_variance=mean,
    **fields,
  )


def drawn(*students, count=2, **fields):
  found = study(*[np.zeros((4, 5))] * count, students=students, **fields)
  return {drawing.name: drawing for drawing in student_drawings.draw(found)}


def caption_of(drawing):
  (text,) = drawing.figure.texts
  return " ".join(text.get_text().split())


def test_figures_of_students():
  found = drawn(
    student("net0", "TS", 59.0, 61.0),
    student("net0", "ATS", 60.0, 62.0),
    student("net1", "TS", 55.0),
    grid=(
      student("net1", "ATS", 58.0, tau1=4.0, tau2=3.0),
      student("net1", "ATS", 59.0, tau1=5.0, tau2=2.0),
    ),
  )
  assert set(found) == {"fig8", "ats-fig3", "ats-fig10"}
  ax: Any = found["fig8"].figure.axes[0]
  curves = {line.get_label(): line.get_ydata() for line in ax.lines}
  np.testing.assert_array_equal(curves["TS"], [60, 55])
  np.testing.assert_array_equal(curves["ATS"], [61, np.nan])
  improvements = [line["improvement (%)"] for line in found["ats-fig3"].lines]
  assert improvements == pytest.approx([20, 22, 10])
  ax = found["ats-fig10"].figure.axes[0]
  assert [text.get_text() for text in ax.texts] == ["58.0", "59.0"]


def test_students_spread_as_a_sample_does_and_one_does_not():
  found = drawn(student("net0", "TS", 59.0, 61.0), student("net1", "TS", 54.0, 56.0))["fig8"]
  deviations = [line["standard deviation"] for line in found.lines]
  assert deviations == pytest.approx([2**0.5, 2**0.5])
  ax: Any = found.figure.axes[0]
  heights = ax.collections[0].get_paths()[0].vertices[:, 1]
  assert heights.max() == pytest.approx(60 + 2**0.5)
  assert "mean and standard deviation over seeds" in caption_of(found)

  alone = drawn(student("net0", "TS", 60.0), student("net1", "TS", 55.0))
  assert all(np.isnan(s["standard deviation"]) for s in alone["fig8"].lines)
  ax = alone["fig8"].figure.axes[0]
  assert not any(len(path) for c in ax.collections for path in c.get_paths())
  assert "deviation" not in caption_of(alone["fig8"])


def test_captions_say_how_students_were_trained():
  found = drawn(
    student("net0", "TS", 59.0, 61.0, epochs=6.0),
    student("net1", "TS", 55.0, 56.0, epochs=6.0),
    student("net0", "ISATS", 55.0, network="vgg8"),
    grid=(
      student("net1", "ATS", 58.0, tau1=4.0, tau2=3.0, epochs=1.0),
      student("net1", "ATS", 59.0, tau1=5.0, tau2=2.0, epochs=1.0),
    ),
  )
  for name in ("fig8", "ats-fig3"):
    said = caption_of(found[name])
    assert "mlp: 6 epochs, seeds 0, 1; vgg8: 240 epochs, seed 0." in said
    assert "Approximated: students trained 6 epochs, the papers 240." in said
  said = caption_of(found["ats-fig3"])
  assert "of mlp and vgg8, taught by TS and ISATS, over training alone" in said
  assert "students trained 1 epoch, the papers" in caption_of(found["ats-fig10"])
  whole = drawn(student("net0", "TS", 60.0), student("net1", "TS", 55.0))
  assert "Approximated" not in caption_of(whole["fig8"])


def test_a_panel_for_each_student_and_family():
  students = (
    student("net0", "TS", 60.0),
    student("net1", "TS", 61.0),
    student("net2", "ISATS", 62.0, network="vgg8"),
  )
  found = study(*[np.zeros((4, 5))] * 3, students=students)

  def panels(*families):
    teachers = tuple(
      teacher._replace(family=family)
      for teacher, family in zip(found.teachers, families, strict=True)
    )
    (drawing,) = (
      d for d in student_drawings.draw(found._replace(teachers=teachers)) if d.name == "fig8"
    )
    return {
      ax.get_title(): [tick.get_text() for tick in ax.get_xticklabels()]
      for ax in drawing.figure.axes
    }, drawing.figure.legends[0]

  every = ["net0", "net1", "net2"]
  titles, legend = panels("ResNet", "ResNet", "ResNet")
  assert titles == {"mlp": every, "vgg8": every}
  # Also of what only the second panel has.
  assert [text.get_text() for text in legend.get_texts()] == ["TS", "ISATS"]
  titles, _ = panels("ResNet", "WRN", "ResNet")
  resnets = ["net0", "net2"]
  assert titles == {
    "mlp, ResNet": resnets,
    "mlp, WRN": ["net1"],
    "vgg8, ResNet": resnets,
    "vgg8, WRN": ["net1"],
  }
  # No family has a curve of its own.
  assert panels("ResNet", "WRN", "VGG")[0] == {
    "mlp": every,
    "vgg8": every,
  }


def test_a_grid_for_each_student():
  points = [{"tau1": 4.0, "tau2": 3.0}, {"tau1": 5.0, "tau2": 3.0}]
  found = drawn(
    grid=tuple(
      student("net1", "ATS", 60.0, network=network, **point)
      for network in ("mlp", "vgg8")
      for point in points
    )
  )
  assert set(found) == {"ats-fig10-mlp", "ats-fig10-vgg8"}


def test_too_few_students_are_no_figure():
  found = study(*[np.zeros((4, 5))] * 2, students=(student("net0", "TS", 60.0, alone=None),))
  assert not list(student_drawings.draw(found))
