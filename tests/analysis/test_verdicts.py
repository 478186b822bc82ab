"""Verdicts on teachers with known measures."""

import numpy as np
import pytest
from known_teachers import examples, measures

from jaxkd.analysis import verdicts
from jaxkd.analysis.measure import Comparison, Findings, Measures
from jaxkd.analysis.study import Settings


def found(*seeds):
  return Findings([], Settings(), seeds)


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
    (
      (3, 1, 2.99),
      "is undecided: the largest teacher's derived variance is within 5 % of the smallest's (",
    ),
  ],
)
def test_observation_1_is_judged_by_the_derived_variances(variances, text):
  said = verdicts.observation_1(found(measures(variances)))
  assert text in said
  assert "at τ = 4, mean and median: net0 " in said


def test_observation_1_tells_for_how_many_examples_it_holds():
  few = Measures({"a": examples([9, 1, 1, 1]), "b": examples([1, 2, 2, 1])}, {}, [])
  said = verdicts.observation_1(found(few))
  assert "holds: derived variance falls" in said
  assert "(at τ = 4, mean and median: a 3 and 1, b 1.5 and 1.5)" in said
  assert "The derived variance of b is lower than that of a on 25 % of the examples." in said
  assert "The medians do not fall" in said
  most = Measures({"a": examples([9, 3, 3, 1]), "b": examples([1, 2, 2, 1])}, {}, [])
  said = verdicts.observation_1(found(few, most))
  assert "on 50 % of the examples" in said
  assert "The medians do not fall" not in said


def _taus(*values):
  return examples(np.ones(len(values)))._replace(tau_star=np.array(values, np.float32))


def test_temperatures_at_an_edge_of_the_grid_are_told():
  inner, upper, both = _taus(2, 3, 4, 5), _taus(8, 8, 8, 4), _taus(8, 1, 4, 4)
  said = [
    verdicts.temperatures(found(Measures({"a": t, "b": inner}, {}, []))) for t in (inner, upper)
  ]
  assert said[0] == ""
  assert "τ* is the largest temperature of the grid, 8, for 75 % (a). A wider grid" in said[1]
  seeds = [Measures({"a": t, "b": both}, {}, []) for t in (inner, upper)]
  said = verdicts.temperatures(found(*seeds))
  assert (
    "8, for 38 % (a), 25 % (b). τ* is the smallest temperature of the grid, 1, for 25 % (b)."
    in said
  )


def test_labels_that_favour_a_wrong_class_are_told():
  misguided = np.zeros((50, 4))
  known = examples(np.ones(50))._replace(misguidance=misguided)
  assert verdicts.guidance(found(Measures({"a": known}, {}, []))) == ""
  misguided[:1, :2], misguided[:4, 2] = 1, 1
  said = verdicts.guidance(found(Measures({"a": known}, {}, [])))
  assert said.endswith("largest probability: ATS 5/3 of a 8.0 % (2.0 % at τ = 4).")
  # The teacher itself is wrong; its labels lose nothing.
  misguided[:4] = 1
  assert verdicts.guidance(found(Measures({"a": known}, {}, []))) == ""


@pytest.mark.parametrize(
  ("seeds", "text"),
  [
    (
      [(3, 1), (5, 4)],
      "holds: derived variance falls with every step in capacity (at τ = 4, mean and "
      "median: net0 4 and 4, net1 2.5 and 2.5).",
    ),
    (
      [(3, 1), (4, 4.1)],
      "is undecided: the largest teacher's derived variance "
      "is clearly lower than the smallest's under 1 of 2 seeds",
    ),
    ([(3, 4), (4, 5)], "does not hold"),
  ],
)
def test_observation_1_is_judged_over_several_seeds(seeds, text):
  said = verdicts.observation_1(found(*map(measures, seeds)))
  assert text in said


@pytest.mark.parametrize(
  ("rhos", "text"),
  [
    ((0.9, 0.95, 0.8), "holds: "),
    (
      (0.84,),
      "holds weakly, not at the level of the paper: Spearman's ρ is 0.84. It is above 0.85 for 0 "
      "of 1 pairs; in the paper it is for most. Kendall's τ is 0.42.",
    ),
    ((0.9, np.nan), "Kendall's τ is 0.45. Pairs without an order: 1."),
    ((np.nan,), "can't be judged: no example has an order"),
    ((0.9, 0.6, 0.8), "holds weakly"),
    (
      (0.9, 0.6, 0.1),
      "does not hold: Spearman's ρ is 0.10 to 0.90. It is above 0.85 for 1 of 3 pairs; in the "
      "paper it is for most. Kendall's τ is 0.05 to 0.45.",
    ),
  ],
)
def test_observation_2_is_judged_by_the_rank_correlations(rhos, text):
  assert text in verdicts.observation_2(found(measures(rhos=rhos)))


@pytest.mark.parametrize(
  ("fields", "text"),
  [
    ({"less_distinct": 12.3}, "are 12 times less distinct at τ = 4"),
    ({"less_distinct": 0.5}, "are 2.0 times more distinct at τ = 4, unlike"),
    ({"less_distinct": 1.02}, "are as distinct as the smaller teacher's at"),
    ({"raised": 0.25}, "lowers their derived variance 4.0 times, to 1.50 times"),
    ({"raised": 1.0}, "leaves their derived variance at 1.50 times"),
    ({"spearman": 0.6}, "agree on the order of the classes less than in"),
    ({"spearman": 0.1}, "do not agree on the order of the classes"),
    (
      {"less_distinct": np.inf, "median_less_distinct": np.inf, "raised": np.inf},
      "are not distinct at τ = 4: in float32 their variance is 0 (its derived variance is lower on "
      "90 % of the examples; the smaller teacher's median is above the larger one's, which is 0). "
      "ISATS raises their derived variance from 0 to 1.50 times the smaller teacher's.",
    ),
    (
      {"less_distinct": 0.0, "restored": np.inf},
      "distinct at τ = 4, but the smaller teacher's have a variance of 0",
    ),
    ({"restored": np.inf}, "4.0 times, to more than the smaller teacher's, which is 0."),
    ({"raised": 0.0, "restored": 0.0}, "lowers their derived variance to 0.00"),
    ({"spearman": np.nan}, "can't be compared: no example has an order under both"),
  ],
)
def test_a_comparison_is_put_into_words(fields, text):
  pair = Comparison("a", "b", 2.0, 1.5, 0.9, 4.0, 1.5, 0.8, 0.9, 0.8, 0.8)
  said = verdicts.pair(pair._replace(**fields), Settings())
  assert text in said
  assert "inf " not in said
  assert "nan" not in said


@pytest.mark.parametrize(
  ("correct", "said"),
  [
    ([True] * 15 + [False], "classifies only 93.8 % of these examples correctly."),
    ([True] * 31 + [False], ""),
  ],
)
def test_a_teacher_that_underfits_is_reported(correct, said):
  large = examples(np.ones(len(correct)), correct)
  known = measures((3, 1))
  known.examples["net1"] = large
  text = verdicts.observation_1(found(known))
  assert said in text
  assert ("classifies" in text) == bool(said)


def test_a_comparison_is_one_paragraph():
  pair = Comparison("resnet14", "resnet110", 2.3, 1.5, 0.9, 4.0, 1.74, 0.8, 0.91, 0.78, 0.78)
  assert verdicts.pair(pair, Settings()) == (
    "resnet110 compared with resnet14: the larger teacher's wrong-class probabilities are 2.3 "
    "times less distinct at τ = 4 (its derived variance is lower on 90 % of the examples; the "
    "smaller teacher's median is 1.50 times the larger one's). ISATS raises their derived variance "
    "4.0 times, to 1.74 times the smaller teacher's. The two teachers "
    "order the classes alike: Spearman's ρ 0.91, Kendall's τ 0.78, 4.0 of the top 5 classes in "
    "common."
  )
