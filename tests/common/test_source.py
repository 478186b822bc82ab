"""A digest of source code changes with the code that runs, and only then."""

import importlib
import linecache
import shutil
import sys

import pytest

from jaxkd.common.errors import UserError
from jaxkd.common.source import source_digest

SOURCE = '''
import own_helpers

WIDTH = 8

def helper(x):
  return x + 1

class Base:
  def run(self, x):
    return helper(x)

class Net(Base):
  """A network."""
  def __call__(self, x):
    return own_helpers.scale(self.run(x)) * WIDTH
'''
HELPERS = "def scale(x):\n  return 2 * x\n"


@pytest.fixture
def digest(tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(tmp_path)

  def write_and_digest(source=SOURCE, helpers=HELPERS):
    (tmp_path / "own_nets.py").write_text(source)
    (tmp_path / "own_helpers.py").write_text(helpers)
    for name in ("own_nets", "own_helpers"):
      sys.modules.pop(name, None)
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    importlib.invalidate_caches()
    linecache.clearcache()
    return source_digest(importlib.import_module("own_nets").Net)

  return write_and_digest


@pytest.mark.parametrize(
  ("old", "new"),
  [
    ("* WIDTH", "* WIDTH * 2"),
    ("WIDTH = 8", "WIDTH = 32"),
    ("return x + 1", "return x + 2"),
    ("return helper(x)", "return helper(helper(x))"),
  ],
)
def test_a_changed_class_base_helper_or_constant_changes_the_digest(digest, old, new):
  assert digest() != digest(SOURCE.replace(old, new))


def test_a_changed_function_of_an_imported_module_changes_the_digest(digest):
  assert digest() != digest(helpers=HELPERS.replace("2", "3"))


def test_comments_docstrings_and_unused_code_do_not_change_the_digest(digest):
  other = SOURCE.replace('"""A network."""', '"""Another text."""')
  other = other.replace("WIDTH = 8", "WIDTH = 8  # wide\nUNUSED = 3")
  assert digest() == digest(other)


PARTIALS = """
import functools

def scale(x, factor):
  return x * factor

first, second = functools.partial(scale, factor=1), functools.partial(scale, factor=2)

class Net:
  def __call__(self, x):
    return first(x) + second(x)
"""


@pytest.mark.parametrize("factor", [1, 2])
def test_changed_arguments_of_a_partial_change_the_digest(digest, factor):
  assert digest(PARTIALS) != digest(PARTIALS.replace(f"factor={factor}", "factor=7"))


USES = """
import functools
import own_helpers as helpers

SIZES = [3, 5]
NAMES = frozenset({"a", "b"})

def jit(f):
  @functools.wraps(f)
  def wrapper(x):
    return f(x)
  return functools.update_wrapper(lambda x: f(x), f)

@jit
def jitted(x):
  return x + 1

def make(k):
  def closure(x):
    return k * x
  return closure

one, two = make(1), make(2)

class Net:
  def __call__(self, x):
    return jitted(one(x) + two(x)) * len(SIZES) * ("a" in NAMES)
"""


@pytest.mark.parametrize(
  ("old", "new"),
  [
    ("return x + 1", "return x + 2"),
    ("[3, 5]", "[3, 7]"),
    ('{"a", "b"}', '{"a", "c"}'),
    ("make(1)", "make(3)"),
    ("make(2)", "make(3)"),
  ],
)
def test_changed_helpers_containers_and_closures_change_the_digest(digest, old, new):
  assert digest(USES) == digest(USES)
  assert digest(USES) != digest(USES.replace(old, new))


def test_a_function_without_a_source_file_is_refused():
  scope = {"__name__": "typed"}
  exec("def typed(x): return x", scope)
  sys.modules["typed"] = type(sys)("typed")
  try:
    with pytest.raises(UserError, match=r"source of typed.typed.*put it into a file"):
      source_digest(scope["typed"])
  finally:
    del sys.modules["typed"]
