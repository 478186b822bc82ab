"""The command that lists the options of a config."""

import pathlib

import pytest

from jaxkd import explain
from jaxkd.analysis import plan
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import listing


@pytest.fixture
def listed(command, capsys, monkeypatch):
  """Returns a function that runs the command and returns its lines."""
  monkeypatch.chdir(pathlib.Path(__file__).parent.parent)

  def run(*argv):
    command(explain.main, *argv, words=True)
    return capsys.readouterr().out.splitlines()

  return run


def test_every_option_has_a_meaning_of_its_own():
  config = jaxkd_config.default()
  plan.add_teachers(config, {"small": ("mlp", {})})
  known = listing.comments(jaxkd_config.default, jaxkd_config.network, plan.add_teachers)
  for option in listing.options(config, plan.add_teachers):
    assert option.meaning, option.name
    if option.name.startswith(("teacher.", "small_teacher.", "student.")):
      assert option.meaning in known.values(), option.name
    elif option.section == "combined":
      assert option.meaning == known["combined"], option.name
    elif option.section in known and not option.name.startswith("analysis.teachers."):
      assert option.meaning == known[option.name], option.name


def test_the_options_of_a_method_have_values_bounds_and_sources(listed):
  lines = listed("isats")
  assert lines[1].startswith("isats: ATS with tau2")
  at = lines.index("--config.isats.gap=1.0")
  assert lines[at + 1] == "    A number >= 0. Section 5.3 of the paper"
  assert "--config.isats.grid=1.0,2.0,3.0,4.0,5.0,6.0,8.0" in lines
  assert not [line for line in lines if line.startswith("--config.ats")]
  assert max(map(len, lines)) <= 100


def test_the_values_are_those_of_the_config_and_its_flags(listed):
  lines = listed("--config=configs/digits_isats.py", "--config.kd.tau=3", "kd.tau", "--workdir=/x")
  assert lines[2] == "--config.kd.tau=3.0  (default 4.0)"
  lines = listed("--config=configs/analysis_digits.py", "analysis.grid")
  assert lines[0] == "--config.analysis.grid=False"


def test_an_empty_tuple_of_numbers_takes_numbers(listed):
  assert listed("teacher.mean")[1].startswith("    One or more values, each a number")
  lines = listed("--config=configs/analysis_digits.py", "analysis.seeds")
  assert lines[1].startswith("    One or more values, each an integer")


def test_a_word_that_no_name_has_is_looked_for_in_the_texts(listed):
  assert "--config.data.train_share=1.0" in listed("equal for every class")


def test_a_word_that_no_option_has_is_refused_with_the_nearest(listed, capsys):
  with pytest.raises(SystemExit):
    listed("milestoned")
  error = capsys.readouterr().err
  assert error == "jaxkd: no option has the word 'milestoned'; did you mean 'milestones'?\n"
