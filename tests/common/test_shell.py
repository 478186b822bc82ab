"""Commands in messages can be pasted into the shell that the process was started from."""

import shlex
import subprocess
import sys

import pytest

from jaxkd.common import provenance, shell
from jaxkd.common.extras import advice

TEXT = "Writes it.\n\npython -m jaxkd.prepare mnist --data_dir=x"


def test_a_command_runs_with_the_python_of_this_process():
  words = shlex.split(shell.command("export", "--help"))
  assert words[0] == sys.executable
  assert subprocess.run(words, capture_output=True, check=True).stdout.startswith(b"usage: ")
  assert shell.command("main", "--config=a b.py").endswith(" -m jaxkd.main '--config=a b.py'")
  assert shell.as_started(TEXT) == TEXT


@pytest.mark.parametrize("script", ["./launch.sh", "../my folder/launch.sh"])
def test_a_command_is_that_of_the_script_that_started_this_process(monkeypatch, script):
  monkeypatch.setenv("JAXKD_LAUNCHER", script)
  assert shlex.split(shell.command("main", "--seeds=0")) == [script, "main", "--seeds=0"]
  assert shell.as_started(TEXT).endswith(f"{shlex.quote(script)} prepare mnist --data_dir=x")
  missing = advice(ModuleNotFoundError(name="gcsfs"), "bucket")
  assert missing.endswith(f": JAXKD_EXTRAS=bucket {shlex.quote(script)} setup")
  monkeypatch.setattr(sys, "argv", [shell.__file__.replace("common/shell", "tune"), "--x=1"])
  assert provenance.command() == f"{shlex.quote(script)} tune --x=1"


@pytest.mark.parametrize(
  ("script", "start"),
  [("", "python -m jaxkd.processes 2 tune"), ("./launch.sh", "./launch.sh --processes=2 tune")],
)
def test_a_command_in_several_processes_has_their_number(monkeypatch, script, start):
  monkeypatch.setenv("JAXKD_LAUNCHER", script)
  monkeypatch.setenv("JAXKD_SUPERVISOR", "1")
  monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
  monkeypatch.setattr(sys, "argv", [shell.__file__.replace("common/shell", "tune"), "--x=a b"])
  assert provenance.command() == f"{start} '--x=a b'"
