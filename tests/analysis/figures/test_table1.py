"""Table 1 and Fig. 7 follow their definitions on CIFAR-100's classes."""

from typing import Any

import numpy as np
import pytest
from known_classes import CIFAR100_CLASSES
from known_teachers import study, unmeasured

from jaxkd.analysis import rules
from jaxkd.analysis.figures import fig7, table1
from jaxkd.analysis.study import Settings

_RNG: Any = np.random.default_rng(0)
DEVIATION = "deviation of all but the first, τ = 4"


@pytest.mark.parametrize("suffix", ["_tree", ""])
def test_rules_and_groups_follow_their_definitions(suffix):
  logits = _RNG.normal(size=(200, 100))
  found = study(
    logits,
    2 * logits,
    labels=np.arange(200) % 100,
    class_names=tuple(
      name.removesuffix("_tree") + suffix * name.endswith("_tree") for name in CIFAR100_CLASSES
    ),
  )
  ((_, table, title, _),) = table1.draw(unmeasured(found))
  assert title.startswith("Table 1")
  names = [*(f"C.{rule}" for rule in range(1, 6)), "average"]
  assert [(line["network"], line["rule"]) for line in table] == [
    (f"net{net}", name) for net in range(2) for name in names
  ]
  first, *_, last = table
  assert first["probabilities' order"].startswith("hamster > mouse > rabbit >")
  assert last["probabilities' order"] == ""
  for column in ("Kendall's τ", DEVIATION):
    mean = np.mean([line[column] for line in table[6:-1]])
    assert last[column] == pytest.approx(mean)
  (_, other, *_) = next(table1.draw(unmeasured(found, Settings(tau=3.0))))
  assert DEVIATION.replace("4", "3") in other[0]
  names = CIFAR100_CLASSES
  ((hamster, *others),) = rules.label_chains(rules.CIFAR100_RULES[0], names)
  probs = np.exp(logits[found.labels == hamster] / 4)
  probs /= probs.sum(axis=-1, keepdims=True)
  assert first[DEVIATION] == pytest.approx(probs[:, others].std(axis=-1).mean(), rel=1e-4)
  (picture,) = fig7.draw(unmeasured(found))
  cell = next(
    line
    for line in picture.csv
    if (line["network"], line["examples of"], line["class"]) == ("net0", "hamster", "rose")
  )
  rose = probs[:, names.index("rose")].mean()
  assert cell["probability"] == pytest.approx(rose, rel=1e-4)
