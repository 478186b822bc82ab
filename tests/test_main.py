"""The command line refuses each mistake with one line, before any work."""

import pathlib
import sys

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
  assert line.startswith(f"jaxkd: --config is '{file}': {file}, line 6: AttributeError: ")
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
      [DIGITS, "--config.takd.init_from=/a,b.pth"],
      """must have quotes: --config.takd.init_from="'/a','b.pth'\"""",
    ),
    (
      [DIGITS, "--config.student.nam=x"],
      "config.student.nam is 'x', but there is no option 'nam': must be one of",
    ),
    (
      ["--config=config/digits_isats.py"],
      "must be a file of `ls configs`; did you mean 'configs/d",
    ),
    (["--config", "configs/digits_isat.py"], "did you mean 'configs/digits_isats.py'?"),
    (["--config=configs"], "--config is 'configs', must be a file of `ls configs`"),
    (["--config="], "--config is '', must be a file of `ls configs`"),
    (["--config"], "Missing value for flag --config"),
    ([DIGITS, DIGITS], "--config is given twice"),
    (["--config.kd.tau=3"], "--config is missing, the file that --config.kd.tau changes"),
    ([DIGITS, "--kd.tau=3"], "--kd.tau is not a flag; did you mean --config.kd.tau?"),
    ([DIGITS, "--kd.lambda=3"], "--kd.lambda is not a flag; did you mean --config.kd.lam?"),
    ([DIGITS, "--tau=3"], "--tau is not a flag; did you mean --config.kd.tau?"),
    ([DIGITS, "--zzz"], "--zzz is not a flag, --help lists the flags"),
    (["configs/digits_isats.py:runlocal"], "did you mean --config=configs/digits_isats.py:r"),
    (
      [DIGITS, "--config.seeds=0", "--config.seeds=1"],
      "--config.seeds is given twice; give it once",
    ),
    ([DIGITS, "--config.kd.lambda=0.5"], "there is no option 'lambda': must be one of lam, "),
    ([DIGITS, "--config.kd..tau=0.5"], "there is no option '': must be one of lam, "),
    (
      [DIGITS, "--config.student.options.width=8"],
      "config.student.options.width is '8', but there is no option 'width'; set it in the config ",
    ),
    ([DIGITS, "--config.kd.tua=3"], "did you mean 'tau'?"),
    ([DIGITS, "--config.zzz=1"], "config.zzz is '1', but there is no option 'zzz'"),
    ([DIGITS, "--config.kd.tau=warm"], "--config.kd.tau=warm"),
    ([DIGITS, "--config.kd.tau=-1"], f"config.kd.tau is -1.0, must be a number {TEMPERATURE}"),
    ([DIGITS + ":techer=mlp"], "'techer' must be one of teacher, student"),
    ([DIGITS, "--config.rows=kd,isat"], "did you mean 'isats'"),
    ([DIGITS, "--config.student.name=math:sqrt"], "config.student.name: network 'math:sqrt' on d"),
    ([DIGITS, "--config.data.name=folder"], "config.data.data_dir: '' must be the folder that has"),
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


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("def get_config(:", "must have a get_config() that returns a config like jaxkd.runs.config.d"),
    ("def get_config(:", "invalid syntax (mine.py, line 1)"),
    ("", "has no attribute 'get_config'"),
    ("import absent", "mine.py, line 1: ModuleNotFoundError: No module named 'absent'"),
    ("def get_config(a, b): pass", "get_config() missing 2 required positional arguments"),
    ("def get_config(): return 1 / 0", "mine.py, line 1: ZeroDivisionError: division by zero"),
    # ml_collections gives a traceback as the message of these two kinds.
    ("def get_config(): raise ValueError('no')", "mine.py, line 1: ValueError: no"),
    ("def get_config(): raise TypeError('a\\nb')", "mine.py, line 1: TypeError: a b"),
    ("def get_config(): return None", "it returned a NoneType without rows"),
    ("def get_config(): return {'rows': ()}", "it returned a dict without rows"),
  ],
)
def test_a_config_file_that_fails_is_one_line(
  text, message, capsys, tmp_path, command, monkeypatch
):
  # A new process has loaded no other config.
  monkeypatch.delitem(sys.modules, "config_config", raising=False)
  file = tmp_path / "mine.py"
  file.write_text(text)
  line = complaint([f"--config={file}"], capsys, tmp_path, command)
  assert line.startswith(f"jaxkd: --config is '{file}'")
  assert message in line
  assert "Traceback" not in line


OWN = """
from flax import nnx

def load(folder, split):
  return None

class Raises(nnx.Module):
  def __init__(self, num_classes, rngs):
    raise RuntimeError("no weights")

class Fails(nnx.Module):
  def __call__(self, x):
    return undefined(x)
"""


@pytest.mark.parametrize(
  ("option", "name", "message"),
  [
    ("data.name", "load", "missing 2 required positional arguments: 'folder' and 'split'"),
    ("student.name", "Raises", "on digits: {file}, line 9: RuntimeError: no weights"),
    ("teacher.name", "Fails", "on digits: {file}, line 13: NameError: name 'undefined'"),
    ("student.name", "Rises", "'Rises' is not in {module}; did you mean 'Raises'?"),
  ],
)
def test_own_code_that_fails_is_one_line(
  option, name, message, capsys, tmp_path, command, monkeypatch
):
  # The module has another name in each test: it is imported anew.
  module = f"own_{name.lower()}"
  file = tmp_path / f"{module}.py"
  file.write_text(OWN)
  monkeypatch.syspath_prepend(tmp_path)
  argv = [DIGITS, f"--config.{option}={module}:{name}"]
  line = complaint(argv, capsys, tmp_path, command)
  assert line.startswith(f"jaxkd: config.{option}: ")
  assert message.format(file=file, module=module) in line
