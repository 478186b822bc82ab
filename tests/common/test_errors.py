"""Errors of a user's own code and of files become one line that names its place."""

import functools
import json
import operator
import pathlib

import pytest

from jaxkd.common.errors import ConfigError, FileError, UserError, end, explained


def own_code():
  return {}["tau"]


def raised(error):
  raise error


def message(call, kind=UserError, caught=Exception):
  """Returns type and text of what an error becomes."""
  within = explained(kind, "option x", caught)
  # As a decorator it adds no frame of this file.
  with pytest.raises(UserError) as error:
    within(call)()
  return type(error.value), str(error.value)


def test_an_error_of_own_code_has_type_file_and_line():
  line = own_code.__code__.co_firstlineno + 1
  assert message(own_code) == (UserError, f"option x: {__file__}, line {line}: KeyError: 'tau'")


def test_an_error_of_a_library_has_its_message_in_one_line():
  # No code of the user's own is between: the standard library calls the standard library.
  read = functools.partial(json.loads, "[1,\n")
  assert message(read) == (UserError, "option x: Expecting value: line 2 column 1 (char 4)")
  lookup = functools.partial(operator.getitem, {}, "tau")
  assert message(lookup) == (UserError, "option x: KeyError: 'tau'")


def test_an_error_of_the_operating_system_has_its_reason():
  read = pathlib.Path("/nowhere").read_bytes
  assert message(read) == (UserError, "option x: No such file or directory")


def test_a_config_error_stays_as_it_is():
  error = ConfigError("config.kd.tau is 0")
  assert message(lambda: raised(error), FileError) == (ConfigError, "config.kd.tau is 0")


def test_a_user_error_needs_no_place():
  assert message(lambda: raised(FileError("can't read a")), ConfigError) == (
    ConfigError,
    "option x: can't read a",
  )


def test_other_kinds_of_errors_pass():
  with pytest.raises(KeyError):
    message(own_code, UserError, (ValueError, OSError))


def test_an_error_is_one_line_whatever_names_it_has(capsys):
  names = "two\nlines", "\x1b[2J", "turned \u202e around", "not text \udcff", "می\u200cشود"
  shown = r"two lines, \x1b[2J, turned \u202e around, not text \udcff, " + names[-1]
  error = FileError(", ".join(names))
  assert str(error) == shown
  with pytest.raises(SystemExit):
    end(error)
  assert capsys.readouterr().err == f"jaxkd: {shown}\n"
