"""The layers of the package: imports go down, and a name stands for one thing."""

import ast
import collections
import graphlib
import pathlib
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "jaxkd"
# From the lowest layer to the highest. A module imports from its own room and from lower layers.
LAYERS = (
  {"common"},
  {"losses", "metrics"},
  {"models", "data"},
  {"methods"},
  {"training"},
  {"runs"},
  {"reports"},
  {"analysis", "tuning", "benchmarks"},
)
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
COMMANDS = len(LAYERS)
# Rooms of one layer that may import another, in one direction.
BESIDE = {("metrics", "losses"), ("analysis", "tuning")}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file):
  """Returns a module's name, `jaxkd.losses.logits`."""
  parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
  return ".".join(part for part in parts if part != "__init__")


NAMES = {name_of(file) for file in FILES}


@pytest.fixture(scope="module")
def trees():
  """The syntax of every module, by its name."""
  return {name_of(file): ast.parse(file.read_text()) for file in FILES}


def imports(tree, *, everywhere=True):
  """Yields the modules that a module imports; by default also inside of functions."""
  for node in ast.walk(tree) if everywhere else tree.body:
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        name = f"{node.module}.{alias.name}"
        yield name if name in NAMES else node.module


def room(name):
  """Returns the room of a module of the package; commands have none."""
  first = name.split(".")[1:2]
  return first[0] if first and first[0] in LEVELS else ""


def test_every_room_has_a_layer():
  rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
  assert rooms == set(LEVELS)


def test_imports_go_down_the_layers(trees):
  wrong = []
  for name, tree in trees.items():
    own = room(name)
    for imported in imports(tree):
      theirs = room(imported)
      if not imported.startswith("jaxkd.") or not own:
        continue
      lower = LEVELS.get(theirs, COMMANDS) < LEVELS[own]
      if not (lower or theirs == own or (own, theirs) in BESIDE):
        wrong.append(f"{name} imports {imported}")
  assert not wrong


@pytest.mark.parametrize(
  ("own", "allowed"), [("losses", {"jax", "numpy", "optax"}), ("metrics", {"jax", "jaxkd.losses"})]
)
def test_losses_and_metrics_import_few_packages(own, allowed, trees):
  wrong = []
  for name, tree in trees.items():
    if room(name) == own:
      for imported in imports(tree):
        package, _, rest = imported.partition(".")
        short = f"jaxkd.{rest.partition('.')[0]}" if package == "jaxkd" else package
        if short not in allowed | sys.stdlib_module_names | {f"jaxkd.{own}"}:
          wrong.append(f"{name} imports {imported}")
  assert not wrong


def test_only_the_checkpoints_import_orbax(trees):
  importers = {
    name
    for name, tree in trees.items()
    if any(imported.partition(".")[0] == "orbax" for imported in imports(tree))
  }
  assert importers == {"jaxkd.training.checkpoint"}


def test_no_module_imports_itself_through_others(trees):
  graph = {
    name: {imported for imported in imports(tree, everywhere=False) if imported in NAMES} - {name}
    for name, tree in trees.items()
  }
  # A package's __init__ runs before its modules, which import each other and not the package.
  try:
    tuple(graphlib.TopologicalSorter(graph).static_order())
  except graphlib.CycleError as error:
    pytest.fail(" -> ".join(error.args[1]))


def test_no_two_modules_define_one_public_name(trees):
  # Functions are called with their module's name, `grid.parse`; classes and constants are not.
  homes = collections.defaultdict(list)
  for name, tree in trees.items():
    # PyTorch's networks have the names of ours.
    if name == "jaxkd.benchmarks.references":
      continue
    for node in tree.body:
      if isinstance(node, ast.ClassDef):
        homes[node.name].append(name)
      elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
          if isinstance(target, ast.Name) and not target.id.startswith("__"):
            homes[target.id].append(name)
  shared = {
    name: modules
    for name, modules in homes.items()
    if not name.startswith("_") and len(modules) > 1
  }
  # Each family of networks has its list and its block.
  allowed = {"MODELS", "Bottleneck"}
  assert shared.keys() <= allowed, shared
