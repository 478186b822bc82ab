"""Damaged files for fuzz tests, and the check of the error that a reader answers them with."""

import hypothesis
import hypothesis.strategies as st
import pytest

from jaxkd.common.errors import UserError


def fuzzed(max_examples):
  """Returns settings of a fuzz test, which has the same examples in every run."""
  fixtures = hypothesis.HealthCheck.function_scoped_fixture
  return hypothesis.settings(
    max_examples=max_examples,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[fixtures, hypothesis.HealthCheck.too_slow],
  )


def damaged(*wholes):
  """Returns a strategy of files: random bytes, and whole files with a few changes."""
  change = st.tuples(
    st.sampled_from(["replace", "insert", "cut"]), st.integers(0, 2**16), st.binary(min_size=1)
  )
  changes = st.lists(change, min_size=1, max_size=4)
  return st.binary(max_size=99) | st.builds(_changed, st.sampled_from(wholes), changes)


def _changed(whole, changes):
  for kind, place, content in changes:
    at = place % (len(whole) + 1)
    rest = {"replace": whole[at + len(content) :], "insert": whole[at:], "cut": b""}[kind]
    whole = whole[:at] + content + rest
  return whole


def assert_read_or_refused(read, kind=UserError):
  """Checks that a reader succeeds, or raises an error of one line without unsafe advice."""
  try:
    read()
  except kind as error:
    assert_one_line(str(error))


def assert_refused(read, message, kind=UserError):
  """Checks that a reader refuses a file with one line that contains the message."""
  with pytest.raises(kind) as error:
    read()
  assert_one_line(str(error.value))
  assert message in str(error.value), str(error.value)


def assert_one_line(text):
  """Checks a message: one line, nothing that steers a terminal, no advice to load unsafely."""
  assert text.splitlines() == [text]
  assert "\x1b" not in text
  for advice in ("weights_only", "allow_pickle", "trust", "safe_globals"):
    assert advice not in text
