"""Rules on similar classes, as text and as labels."""

from jaxkd.analysis import rules
from jaxkd.analysis.figures import table1


def test_a_rule_is_written_as_an_order():
  assert rules.CIFAR100_RULES[0].order == "hamster > mouse > rabbit > squirrel > shrew"
  assert rules.DIGITS_FIVE_RULES[0].order == "MNIST@c > USPS@c > SVHN@c"


def test_class_names_become_labels():
  rule = rules.Rule("B.1", (("dog", "wolf", "cat"),))
  assert rules.label_chains(rule, ["cat", "dog", "wolf"]) == ((1, 2, 0),)


def test_short_names_of_trees_are_expanded():
  assert rules.as_in_rules(["cat", "maple", "oak", "palm", "pine", "willow"])[1] == "maple_tree"


def test_rules_are_selected_by_their_classes():
  known = table1.known_rules(rules.CIFAR100_GROUPS["trees"])
  assert [rule.name for rule in known] == ["C.3"]
