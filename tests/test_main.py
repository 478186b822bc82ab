"""The command line refuses each mistake with one line, before any work."""

import pathlib

import pytest

from jaxkd import main
from jaxkd.methods import TEMPERATURE

DIGITS = "--config=configs/digits_isats.py"


@pytest.fixture(autouse=True)
def in_repository(monkeypatch):
  monkeypatch.chdir(pathlib.Path(__file__).parent.parent)


def test_a_mistake_in_a_config_is_reported_with_file_and_line(tmp_path, capsys, command):
  file = tmp_path / "mine.py"
  file.write_text(
    "from configs import digits_isats\n\n\ndef get_config(arg=None):\n"
    "  config = digits_isats.get_config(arg)\n  config.kd.tua = 3.0\n"
    "  return config\n"
  )
  line = complaint([f"--config={file}"], capsys, tmp_path, command)
  assert line.startswith(f"jaxkd: {file}, line 6: AttributeError: ")
  assert "tua" in line


def complaint(argv, capsys, tmp_path, command):
  """Runs the command; returns its line on stderr."""
  workdir = tmp_path / "runs"
  with pytest.raises(SystemExit) as ended:
    command(main.main, f"--workdir={workdir}", *argv)
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
      "config.student.nam is 'x', but there is no option 'nam': must be one of",
    ),
    ([DIGITS, "--config.kd.tua=3"], "did you mean 'tau'?"),
    ([DIGITS, "--config.zzz=1"], "config.zzz is '1', but there is no option 'zzz'"),
    ([DIGITS, "--config.kd.tau=warm"], "--config.kd.tau=warm"),
    ([DIGITS, "--config.kd.tau=-1"], f"config.kd.tau is -1.0, must be a number {TEMPERATURE}"),
    ([DIGITS + ":techer=mlp"], "'techer' must be one of teacher, student"),
    ([DIGITS, "--config.rows=kd,isat"], "did you mean 'isats'"),
    (
      [DIGITS, "--config.data.name=mnist", "--config.data.data_dir=nowhere"],
      "'mnist' is not prepared in",
    ),
  ],
)
def test_a_mistake_is_refused_in_one_line(argv, message, capsys, tmp_path, command):
  line = complaint(argv, capsys, tmp_path, command)
  assert line.startswith("jaxkd: ")
  assert message in line
