"""Table 1: agreement of each teacher with rules on similar classes."""

from collections.abc import Collection

import numpy as np

from jaxkd import metrics
from jaxkd.analysis import rules, summary
from jaxkd.analysis.figures import Drawn, Findings, Missing
from jaxkd.analysis.measure import Measures
from jaxkd.analysis.study import Settings, Study
from jaxkd.reports.tables import Lines


def draw(findings: Findings) -> Drawn:
  """Yields the table if a rule is known for the classes."""
  if known_rules(findings.study.rule_names):
    title = "Table 1: agreement with rules on similar classes"
    yield summary.table(findings, "table1", title, lines)
  else:
    yield Missing(
      "Table 1, agreement with rules, needs the classes of CIFAR-100 or Digits-Five: "
      "configs/analysis_cifar100.py or configs/analysis_digits_five.py."
    )


def known_rules(class_names: Collection[str]) -> list[rules.Rule]:
  """Returns the rules whose classes the data set has."""
  return [
    rule
    for rule in (*rules.CIFAR100_RULES, *rules.DIGITS_FIVE_RULES)
    if all(set(chain) <= set(class_names) for chain in rule.chains)
  ]


def lines(study: Study, measures: Measures, settings: Settings) -> Lines:
  """Returns a line for each rule, and after each teacher's rules their average."""
  found = []
  for teacher in study.teachers:
    values = []
    for rule in known_rules(study.rule_names):
      chains = rules.label_chains(rule, study.rule_names)
      means = metrics.rule_consistency(teacher.logits, study.labels, chains, settings.tau)
      values.append((rule.name, rule.order, *map(float, means)))
    _, _, kendall, deviation = zip(*values, strict=True)
    values.append(("average", "", float(np.mean(kendall)), float(np.mean(deviation))))
    found += [(teacher.name, *value) for value in values]
  spread = f"deviation of all but the first, τ = {settings.tau:g}"
  heads = "network", "rule", "probabilities' order", "Kendall's τ", spread
  return [dict(zip(heads, line, strict=True)) for line in found]
