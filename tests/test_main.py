"""The command line: one line for each mistake, before any work."""

import pathlib
import sys

import pytest
from absl import flags

from jaxkd import cli, main

DIGITS = "--config=configs/digits_isats.py"


@pytest.fixture(autouse=True)
def in_repository(monkeypatch):
  monkeypatch.chdir(pathlib.Path(__file__).parent.parent)
  yield
  for name in list(flags.FLAGS):
    if name.startswith("config."):
      delattr(flags.FLAGS, name)
  flags.FLAGS.unparse_flags()


def complaint(argv, capsys, tmp_path, monkeypatch):
  """Runs the command; returns what it said on stderr."""
  workdir = tmp_path / "runs"
  # ml_collections looks for overrides there.
  monkeypatch.setattr(sys, "argv", ["jaxkd", f"--workdir={workdir}", *argv])
  with pytest.raises(SystemExit) as ended:
    main.main(cli.parse(sys.argv))
  assert ended.value.code == 2
  assert not workdir.exists()
  (line,) = capsys.readouterr().err.splitlines()
  return line


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    ([], "--config is missing"),
    (["--config=configs/digits_isat.py"], "did you mean 'configs/digits_isats"),
    ([DIGITS, "--wrkdir=x"], "Did you mean: workdir"),
    ([DIGITS, "now"], "'now' is not a flag"),
    (
      [DIGITS, "--config.student.nam=x"],
      "config.student.nam: there is no option 'nam'; did you mean \"name\"?",
    ),
    (
      [DIGITS, "--config.zzz=1"],
      "config.zzz: there is no option 'zzz'",
    ),
    ([DIGITS, "--config.kd.tau=warm"], "--config.kd.tau=warm"),
    ([DIGITS, "--config.kd.tau=-1"], "config.kd.tau is -1.0, must be > 0"),
    ([DIGITS + ":techer=mlp"], "'techer' must be one of teacher, student"),
    ([DIGITS, "--config.rows=kd,isat"], "did you mean 'isats'"),
    (
      [DIGITS, "--config.data.name=mnist", "--config.data.data_dir=nowhere"],
      "'mnist' is not prepared in",
    ),
  ],
)
def test_a_mistake_is_one_line(argv, message, capsys, tmp_path, monkeypatch):
  line = complaint(argv, capsys, tmp_path, monkeypatch)
  assert line.startswith("jaxkd: ")
  assert message in line
