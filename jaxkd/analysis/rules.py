"""Rules on similar classes, as in Table 1.

A rule orders classes by their similarity to the first one. A network agrees with it if its
probabilities of an example of the first class have that order: `p_hamster > p_mouse > ...`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

# The superclasses of Fig. 7, each with its target class first.
CIFAR100_GROUPS = {
  "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
  "small mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
  "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
}


def as_in_rules(class_names: Sequence[str]) -> tuple[str, ...]:
  """Returns the class names as the rules spell them; some copies call a maple_tree maple."""
  trees = {tree.removesuffix("_tree"): tree for tree in CIFAR100_GROUPS["trees"]}
  if not set(trees) <= set(class_names):
    return tuple(class_names)
  return tuple(trees.get(name, name) for name in class_names)


class Rule(NamedTuple):
  """A rule of Table 1."""

  name: str  # as in the paper
  # classes, the examples' own first, then from most to least similar; their agreements are averaged
  chains: tuple[tuple[str, ...], ...]

  @property
  def order(self) -> str:
    """The chains as text, with c for the ten digits."""
    texts = (re.sub(r"@\d", "@c", " > ".join(chain)) for chain in self.chains)
    return "; ".join(dict.fromkeys(texts))


def _digits(name: str, *domains: str) -> Rule:
  return Rule(name, tuple(tuple(f"{domain}@{digit}" for domain in domains) for digit in range(10)))


CIFAR100_RULES = (
  Rule("C.1", (("hamster", "mouse", "rabbit", "squirrel", "shrew"),)),
  Rule("C.2", (("orchid", "tulip", "rose", "poppy", "sunflower"),)),
  Rule("C.3", (("maple_tree", "oak_tree", "willow_tree", "pine_tree", "palm_tree"),)),
  Rule("C.4", (("dolphin", "whale", "seal", "otter", "beaver"),)),
  Rule("C.5", (("apple", "sweet_pepper", "orange", "pear", "mushroom"),)),
)
DIGITS_FIVE_RULES = (
  _digits("D.1", "MNIST", "USPS", "SVHN"),
  _digits("D.2", "MNIST", "MNISTM", "SYN"),
  _digits("D.3", "USPS", "MNIST", "MNISTM", "SVHN"),
)


def label_chains(rule: Rule, class_names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
  """Translates a rule's class names into labels."""
  labels = {name: label for label, name in enumerate(class_names)}
  for name in (name for chain in rule.chains for name in chain):
    if name not in labels:
      raise ValueError(f"rule {rule.name}: no class is called {name!r}")
  return tuple(tuple(labels[name] for name in chain) for chain in rule.chains)
