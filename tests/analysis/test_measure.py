"""Measures and tables of teachers with known logits."""

from typing import Any

import numpy as np
import pytest
from known_teachers import findings, measures, study

from jaxkd.analysis import measure, summary, writeup
from jaxkd.analysis.measure import Findings
from jaxkd.analysis.study import Settings
from jaxkd.reports import tables
from jaxkd.runs.phase import duration

_RNG: Any = np.random.default_rng(0)


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
      assert got.misguidance[row, 2] == (np.argmax(probs) != label)
      np.testing.assert_allclose(got.label_probability[row, 2], probs[label], 1e-5)
      assert got.misguidance[row, 0] == (np.argmax(values[row]) != label)
  (pair,) = measured.comparisons
  small, large = (e.derived_variance for e in measured.examples.values())
  assert pair.less_distinct == pytest.approx(small.mean() / large.mean())
  assert pair.median_less_distinct == pytest.approx(np.median(small) / np.median(large))
  assert pair.share == np.mean(large < small)
  raised = measured.examples["net1"].isats_variance.mean()
  assert pair.raised == pytest.approx(raised / large.mean())
  assert pair.restored == pytest.approx(raised / small.mean())


def test_the_table_of_guidance_has_a_line_for_each_label():
  found = findings(study(*_RNG.normal(size=(2, 4, 5))), settings=Settings(tau=2.0))
  (*_, table) = summary.tables(found)
  assert [line["label"] for line in table.lines[:4]] == [
    "τ = 2",
    "ATS 2/1.5",
    "ATS 2.5/1.5",
    "ISATS",
  ]
  share, probability = (table.lines[0][column] for column in [*table.lines[0]][2:])
  probs = np.exp(found.study.teachers[0].logits / 2)
  own = (probs / probs.sum(axis=1, keepdims=True))[np.arange(4), found.study.labels]
  assert probability == pytest.approx(own.mean(), rel=1e-5)
  assert share == 1 - np.mean(found.measured.examples["net0"].correct)


def test_comparisons_are_averaged_over_seeds():
  seeds = [measures(rhos=rhos) for rhos in [(0.5, 0.8), (0.7, 0.9)]]
  first, second = Findings([], Settings(), seeds).comparisons
  assert (first.small, first.large) == ("a", "b")
  assert (first.spearman, second.kendall) == pytest.approx((0.6, 0.425))


def test_tables_of_several_seeds_show_mean_and_deviation():
  found = findings(*(study(*_RNG.normal(size=(2, 4, 5)), seed=seed) for seed in (3, 4)))
  (_, table, *_) = summary.tables(found)
  kept = table.csv
  assert [line["seed"] for line in kept] == [3, 4]
  rho = [m.comparisons[0].spearman for m in found.measures]
  assert [line["Spearman's ρ"] for line in kept] == rho
  (pair,) = table.lines
  assert (pair["smaller"], pair["larger"]) == ("net0", "net1")
  cell: Any = pair["Spearman's ρ"]
  assert cell.mean == pytest.approx(np.mean(rho))
  assert cell.deviation == pytest.approx(abs(rho[0] - rho[1]) / 2**0.5)
  # A cell shows both; a column is sorted by the mean.
  assert tables.shown(cell) == f"{cell.mean:.4g} ± {cell.deviation:.2g}"
  assert f'data-value="{cell.mean}"' in tables.as_html(table.lines)
  # A single seed has no deviation, and no column of seeds.
  (_, table, *_) = summary.tables(Findings(found.studies[:1], Settings(), found.measures[:1]))
  assert table.lines == table.csv
  assert table.lines[0]["Spearman's ρ"] == rho[0]


def test_the_notes_name_the_seeds():
  found = findings(*(study(np.zeros((4, 5)), seed=seed) for seed in (3, 4)))
  assert "summarise the seeds 3, 4: mean ±" in writeup._notes(found)
  assert "seed" not in writeup._notes(Findings(found.studies[:1], Settings(), []))


def test_constant_logits_have_no_variance_and_no_rank_correlation():
  found = study(np.zeros((4, 5)), _RNG.normal(size=(4, 5)))
  (pair,) = measure.measure(found, Settings()).comparisons
  assert pair.less_distinct == 0
  assert np.isinf(pair.restored)
  assert np.isnan(pair.spearman)


def test_a_cell_of_several_seeds_is_their_mean_and_deviation():
  seeds = [[{"network": "a", "v": 1.0}], [{"network": "a", "v": 3.0}]]
  assert summary.over_seeds(seeds) == [{"network": "a", "v": tables.Spread(2.0, 2**0.5)}]


def test_epochs_are_written_with_three_digits():
  assert duration(1) == "1 epoch"
  assert duration(240 / 7) == "34.29 epochs"
