"""The file of choices: one for each experiment, used for that experiment alone."""

import json

import hypothesis
import hypothesis.strategies as st
import pytest
from foreign_files import assert_read_or_refused, damaged, fuzzed

from jaxkd.common.errors import ConfigError, FileError
from jaxkd.common.files import DamagedError, write_json
from jaxkd.runs import planning, row_options
from jaxkd.tuning import tuned


def test_the_file_keeps_a_choice_for_each_experiment(tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  longer = tiny_config.copy_and_resolve_references()
  longer.student.epochs = 2.0
  tuned.write(tiny_config, path, "ats", {"ats.tau1": 2.0}, note="first")
  tuned.write(longer, path, "ats", {"ats.tau1": 6.0})
  tuned.write(tiny_config, path, "kd", {"kd.tau": 2.0})
  # The new choice replaces the first one, even with other options.
  tuned.write(tiny_config, path, "ats", {"ats.lam": 0.9})
  kept = [(choice["row"], choice["options"]) for choice in json.loads(path.read_text())["choices"]]
  assert kept == [("ats", {"ats.tau1": 6.0}), ("kd", {"kd.tau": 2.0}), ("ats", {"ats.lam": 0.9})]
  for config, values in ((tiny_config, {"ats.lam": 0.9}), (longer, {"ats.tau1": 6.0})):
    config.rows = ("ats+ens",)
    config.seeds = (3, 4)
    tuned.apply(config, path)
    assert row_options.of(config) == {"ats": values}


def test_a_choice_holds_for_its_row_alone(tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  tuned.write(tiny_config, path, "kd", {"kd.tau": 2.0})
  tiny_config.rows = ("takd", "kd")
  tuned.apply(tiny_config, path)
  (chain,) = planning.phases(tiny_config, "takd")
  (student,) = planning.phases(tiny_config, "kd")
  assert chain.objective["tau"] == 4.0
  assert student.objective["tau"] == 2.0


def test_an_ensemble_has_the_choices_of_its_row(tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  tuned.write(tiny_config, path, "ats", {"ats.tau1": 2.0})
  tiny_config.rows, tiny_config.seeds = ("ats", "ats+ens"), (0, 1)
  tuned.apply(tiny_config, path)
  students = planning.phases(tiny_config, "ats+ens")
  assert [student.objective["tau1"] for student in students] == [2.0, 2.0]
  assert students == planning.phases(tiny_config, "ats")


@pytest.mark.parametrize(
  ("option", "value"),
  [("student.epochs", 3.0), ("teacher.epochs", 3.0), ("data.batch_size", 128), ("ats.lam", 0.9)],
)
def test_another_experiment_does_not_use_the_choice(option, value, tiny_config, tmp_path, capsys):
  path = tmp_path / tuned.FILE
  tuned.write(tiny_config, path, "ats", {"ats.tau1": 2.0})
  tiny_config.rows = ("ats",)
  tiny_config.update_from_flattened_dict({option: value})
  tuned.apply(tiny_config, path)
  assert not tiny_config.tuned
  assert "is for other options" in capsys.readouterr().err


def test_a_damaged_choice_is_refused(tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  tuned.write(tiny_config, path, "ats", {"ats.tau1": 2.0})
  content = path.read_bytes()
  place = content.index(b"2.0")
  path.write_bytes(content[:place] + b"3" + content[place + 1 :])
  with pytest.raises(DamagedError, match=rf"^{path} is damaged, .*; move it away, and tune again$"):
    tuned.apply(tiny_config, path)


@pytest.mark.parametrize("text", ["{", "", "{}", "[]", "{}1", "\xff", '{"choices": []}'])
def test_a_malformed_file_of_choices_is_refused(text, tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  path.write_text(text, "latin-1")
  with pytest.raises(DamagedError, match=r"tuned.json is damaged.*; move it away, and tune again$"):
    tuned.apply(tiny_config, path)


@pytest.mark.parametrize(
  "content",
  [
    {},
    {"choices": 1},
    {"choices": [{"row": "ats"}]},
    {"choices": [{"row": "ats", "options": {"ats.tau3": 1}, "trains": ""}]},
    {"choices": [{"row": "ats", "options": {"ats.tau1": "warm"}, "trains": ""}]},
    {"choices": [{"row": "ats", "options": 1, "trains": ""}]},
    {"choices": [{"row": "ats", "options": {"ats.tau1": 10**400}, "trains": ""}]},
  ],
)
def test_unknown_choices_are_refused(content, tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  write_json(path, content)
  with pytest.raises(ConfigError, match=r"tuned.json is not a file of choices.*; move it away"):
    tuned.apply(tiny_config, path)


_VALUES = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
  lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values),
  max_leaves=4,
)
_OPTIONS = st.dictionaries(st.sampled_from(["ats.tau1", "ats.grid", "kd.tau", "x"]), _VALUES)
_CHOICES = st.fixed_dictionaries(
  {"row": st.sampled_from(["ats", "kd", "ats+ens", "x"]) | _VALUES, "options": _OPTIONS | _VALUES},
  optional={"trains": _VALUES, "data": st.just("digits")},
)


@fuzzed(40)
@hypothesis.given(
  st.lists(_CHOICES, max_size=2)
  | _VALUES
  | damaged(b'{"choices": [{"row": "ats", "options": {"ats.tau1": 3.0}, "trains": "0"}]}')
)
def test_any_file_of_choices_is_read_or_refused(make_tiny_config, tmp_path, content):
  path, config = tmp_path / tuned.FILE, make_tiny_config()
  if isinstance(content, bytes):
    path.write_bytes(content)
  else:
    write_json(path, {"choices": content})
  assert_read_or_refused(lambda: tuned.apply(config, path))


def test_a_folder_in_place_of_the_file_of_choices_is_named(tiny_config, tmp_path):
  with pytest.raises(FileError, match=rf"^can't read {tmp_path}: Is a directory"):
    tuned.apply(tiny_config, tmp_path)
