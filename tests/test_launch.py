"""`launch.sh`, with stubs for the installers and the commands."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# A stub of a command, which prints its arguments.
COMMAND = """
import json, os, pathlib, sys
if __name__ == "__main__":
  said = {
    "command": pathlib.Path(__file__).stem,
    "cwd": os.getcwd(),
    "argv": sys.argv[1:],
    "process": os.environ.get("JAX_PROCESS_ID"),
    "launcher": os.environ.get("JAXKD_LAUNCHER"),
  }
  os.write(1, json.dumps(said).encode() + b"\\n")
  sys.exit(3 if "--fail" in sys.argv else 0)
"""

UV = """#!/bin/sh
echo "$PWD: $@" >>"$UV_LOG"
if [ "$1" = venv ]; then
  for folder in "$@"; do :; done
  mkdir -p "$folder/bin"
  touch "$folder/pyvenv.cfg"
  ln -sf "$REAL_PYTHON" "$folder/bin/python"
fi
sleep "${UV_SECONDS:-0}"
"""


class Checkout:
  """A copy of launch.sh with stubs of commands that print their arguments."""

  def __init__(self, folder):
    self.root = folder / "jaxkd"
    self.elsewhere = folder / "elsewhere"
    self.stubs = folder / "stubs"
    self.log = folder / "uv.log"
    for made in (self.root / "jaxkd" / "common", self.elsewhere, self.stubs):
      made.mkdir(parents=True)
    self.script = self.root / "launch.sh"
    shutil.copy(ROOT / "launch.sh", self.script)
    shutil.copy(ROOT / "pyproject.toml", self.root)
    for name in (
      "__init__",
      "__main__",
      "processes",
      "slurm",
      "tpu",
      "common/__init__",
      "common/arguments",
      "common/errors",
      "common/extras",
      "common/shell",
      "common/signals",
      "common/spelling",
    ):
      shutil.copy(ROOT / "jaxkd" / f"{name}.py", self.root / "jaxkd" / f"{name}.py")
    for name in ("demo", "main", "table"):
      (self.root / "jaxkd" / f"{name}.py").write_text(COMMAND)
    (self.stubs / "uv").write_text(UV)
    (self.stubs / "uv").chmod(0o755)
    (self.stubs / "python3").symlink_to(sys.executable)

  def stub(self, name, script):
    """Adds a program to the PATH."""
    (self.stubs / name).write_text(f"#!/bin/sh\n{script}\n")
    (self.stubs / name).chmod(0o755)

  def environment(self, **env):
    path = f"{self.stubs}:/usr/bin:/bin"
    return {"PATH": path, "UV_LOG": str(self.log), "REAL_PYTHON": sys.executable, **env}

  def start(self, *command, **env):
    return subprocess.run(
      [*map(str, command)],
      cwd=self.elsewhere,
      env=self.environment(**env),
      capture_output=True,
      text=True,
      timeout=60,
    )

  def said(self, *command, **env):
    """Runs a command; returns the output of each stub as a dictionary."""
    done = self.start(*command, **env)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]

  def installs(self):
    return [line for line in self.log.read_text().splitlines() if ": pip install" in line]


@pytest.fixture
def checkout(tmp_path):
  return Checkout(tmp_path)


def test_paths_are_relative_to_the_callers_folder(checkout):
  (said,) = checkout.said(checkout.script, "table", "--workdir=runs")
  assert said["command"] == "table"
  assert said["cwd"] == str(checkout.elsewhere)
  assert said["argv"] == ["--workdir=runs"]


def test_flags_without_a_command_go_to_main(checkout):
  (said,) = checkout.said(checkout.script, "--config=mine.py")
  assert (said["command"], said["argv"]) == ("main", ["--config=mine.py"])


def test_no_argument_runs_the_demonstration_from_any_folder(checkout):
  (said,) = checkout.said(checkout.script)
  assert (said["command"], said["argv"]) == ("demo", [])


def test_the_script_starts_through_symbolic_links(checkout):
  (checkout.elsewhere / "relative").symlink_to("../jaxkd/launch.sh")
  (checkout.elsewhere / "twice").symlink_to("relative")
  (said,) = checkout.said("./twice", "table")
  assert said["command"] == "table"
  # Messages name commands as they were called.
  assert said["launcher"] == "./twice"


def test_the_script_starts_under_sh(checkout):
  (said,) = checkout.said("sh", "../jaxkd/launch.sh", "table")
  assert said["command"] == "table"


def test_the_script_starts_from_the_folder_above_the_checkout(checkout):
  # In that folder the checkout looks like a package named jaxkd.
  checkout.elsewhere = checkout.root.parent
  (said,) = checkout.said("jaxkd/launch.sh", "table")
  assert said["command"] == "table"


def test_another_checkout_in_the_callers_folder_is_not_run(checkout):
  (checkout.elsewhere / "jaxkd").mkdir()
  (checkout.elsewhere / "jaxkd" / "__init__.py").write_text("raise SystemExit('imported')")
  (said,) = checkout.said(checkout.script, "table")
  assert said["command"] == "table"
  checkout.said(checkout.script, "--processes=2", "table")
  assert checkout.start(checkout.script, "help").returncode == 0


@pytest.mark.parametrize(
  "env",
  [
    {"CDPATH": "/tmp:/"},
    {"PYTHONHOME": "/nowhere"},
    {"CONDA_PREFIX": "/opt/conda", "CONDA_DEFAULT_ENV": "base", "VIRTUAL_ENV": "/opt/conda"},
  ],
)
def test_the_callers_environment_has_no_effect(checkout, env):
  (said,) = checkout.said("../jaxkd/launch.sh", "table", **env)
  assert said["command"] == "table"
  assert f"--python {checkout.root}/.venv/bin/python" in checkout.installs()[0]


def test_pythonpath_is_ignored_with_a_message(checkout):
  (checkout.elsewhere / "json.py").write_text("raise SystemExit('imported')")
  done = checkout.start(checkout.script, "--help", PYTHONPATH=str(checkout.elsewhere))
  assert done.returncode == 0
  assert done.stderr.startswith("jaxkd: PYTHONPATH is ignored")


def test_packages_are_installed_once_and_again_for_another_extra(checkout):
  for _ in range(2):
    checkout.said(checkout.script, "table")
  (only,) = checkout.installs()
  assert only.startswith(f"{checkout.root}: ")
  assert "[all" in only
  checkout.said(checkout.script, "table", JAXKD_EXTRAS="torch")
  assert len(checkout.installs()) == 2
  assert "torch" in checkout.installs()[1]
  checkout.said(checkout.script, "table")
  assert len(checkout.installs()) == 2


def test_packages_are_installed_again_if_the_interpreter_is_gone(checkout):
  checkout.said(checkout.script, "table")
  interpreter = checkout.root / ".venv" / "bin" / "python"
  interpreter.unlink()
  interpreter.symlink_to("/nowhere/python")
  (checkout.root / ".venv" / "lib").mkdir()
  checkout.said(checkout.script, "table")
  assert len(checkout.installs()) == 2
  assert not (checkout.root / ".venv" / "lib").exists()


def test_a_users_broken_environment_is_left_alone(checkout):
  own = checkout.elsewhere / "own"
  (own / "lib").mkdir(parents=True)
  (own / "pyvenv.cfg").touch()
  done = checkout.start(checkout.script, "table", JAXKD_VENV="own")
  assert done.returncode == 2
  assert "the interpreter of" in done.stderr.splitlines()[-1]
  assert (own / "lib").exists()


def test_each_resolution_has_its_own_environment(checkout):
  checkout.said(checkout.script, "table", JAXKD_RESOLUTION="lowest-direct")
  (only,) = checkout.installs()
  assert "--resolution lowest-direct" in only
  assert "/.venv-lowest-direct/bin/python" in only


@pytest.mark.parametrize("processes", [["--processes=2"], ["--processes", "2"]])
@pytest.mark.parametrize("command", [["table", "--rows=kd"], ["--rows=kd"]])
def test_every_command_runs_in_several_processes(checkout, processes, command):
  said = checkout.said(checkout.script, *processes, *command)
  assert sorted(line["process"] for line in said) == ["0", "1"]
  assert {line["command"] for line in said} == {"table" if command[0] == "table" else "main"}
  assert all(line["argv"] == ["--rows=kd"] for line in said)


def test_a_process_that_fails_ends_the_run_with_its_status(checkout):
  done = checkout.start(checkout.script, "--processes=2", "table", "--fail")
  assert done.returncode == 3


@pytest.mark.parametrize(
  "number", [["--processes=0"], ["--processes", "x"], ["--processes"], ["--processes=2", "test"]]
)
def test_a_wrong_number_of_processes_is_refused_in_one_line(checkout, number):
  done = checkout.start(checkout.script, *number)
  assert done.returncode == 2
  assert done.stderr.startswith("jaxkd: --processes is ")
  assert not checkout.log.exists()


def test_help_installs_nothing(checkout):
  for flag in ("--help", "-h", "help"):
    done = checkout.start(checkout.script, flag)
    assert done.returncode == 0
    assert "--processes=N" in done.stdout
    assert "  table  " in done.stdout
  assert not checkout.log.exists()


def test_a_wrong_command_is_refused_in_one_line_and_installs_nothing(checkout):
  done = checkout.start(checkout.script, "tabel")
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert "did you mean 'table'?" in line
  assert not checkout.log.exists()


@pytest.mark.parametrize(
  ("env", "message"),
  [
    ({"JAXKD_PYTHON": "3.9"}, "JAXKD_PYTHON is '3.9', must be Python 3.11 to 3.14"),
    ({"JAXKD_PYTHON": "/bin/false"}, "JAXKD_PYTHON is '/bin/false', must be"),
    ({"JAXKD_INSTALLER": "conda"}, "JAXKD_INSTALLER is 'conda', must be uv or pip"),
  ],
)
def test_a_wrong_setting_is_refused_in_one_line(checkout, env, message):
  done = checkout.start(checkout.script, "table", **env)
  assert done.returncode == 2
  assert message in done.stderr.splitlines()[-1]


def test_pip_installs_the_packages_without_uv(checkout):
  (checkout.stubs / "uv").unlink()
  # A stub of Python whose `-m venv` and `-m pip` only log their arguments.
  python = checkout.stubs / "python3"
  python.unlink()
  python.write_text(
    f'#!/bin/sh\ncase "$*" in\n'
    f'*" sys.executable"* | *sys.version_info*) echo "{python}" ;;\n'
    '"-m venv "*) mkdir -p "$3/bin"; ln -sf "$0" "$3/bin/python" ;;\n'
    '"-m pip "*) echo "$PWD: $*" >>"$UV_LOG" ;;\n'
    f'*) exec {sys.executable} "$@" ;;\nesac\n'
  )
  python.chmod(0o755)
  checkout.said(checkout.script, "table")
  assert "pip install --quiet" in checkout.log.read_text()
  assert os.path.samefile(checkout.root / ".venv" / "bin" / "python", python)


def test_processes_that_start_together_install_once(checkout):
  starts = [
    subprocess.Popen(
      [checkout.script, "table"],
      cwd=checkout.elsewhere,
      env=checkout.environment(UV_SECONDS="0.2"),
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    for _ in range(5)
  ]
  assert [process.wait(timeout=60) for process in starts] == [0] * 5
  assert len(checkout.installs()) == 1


def test_a_login_node_installs_for_nodes_with_a_gpu(checkout):
  assert checkout.said(checkout.script, "setup", JAXKD_EXTRAS="gpu") == []
  checkout.stub("nvidia-smi", "")
  checkout.said(checkout.script, "table")
  (only,) = checkout.installs()
  assert "gpu" in only


SLURM = ("slurm", "--nodes=2", "--gpus-per-node=8", "main", "--config=a b.py")


def test_a_slurm_job_is_printed_and_submitted(checkout):
  printed = checkout.start(checkout.script, "slurm", "--dry-run", *SLURM[1:])
  first, *script, last = printed.stdout.splitlines(keepends=True)
  assert first == "sbatch --nodes=2 --gpus-per-node=8 <<'EOF'\n"
  assert last == "EOF\n"
  checkout.stub("sbatch", 'echo "$@"; cat >"$UV_LOG.job"; exit 7')
  done = checkout.start(checkout.script, *SLURM)
  assert done.returncode == 7
  assert done.stdout == "--nodes=2 --gpus-per-node=8\n"
  assert checkout.log.with_name("uv.log.job").read_text() == "".join(script)


@pytest.mark.parametrize("status", [0, 2, 75])
def test_a_slurm_job_is_requeued_after_a_signal(checkout, status):
  job = checkout.start(checkout.script, "slurm", "--dry-run", *SLURM[1:]).stdout
  checkout.stub("srun", f'for word in "$@"; do echo "$word"; done; exit {status}')
  checkout.stub("scontrol", 'echo "$@"')
  script = "".join(job.splitlines(keepends=True)[1:-1])
  done = checkout.start("bash", "-c", script, SLURM_JOB_ID="12")
  assert done.returncode == status
  words = ["--kill-on-bad-exit=0", "--wait=60", str(checkout.script), "main", "--config=a b.py"]
  assert done.stdout.splitlines() == words + ["requeue 12"] * (status == 75)


TPU = ("tpu", "pod", "zone", "--create=v4-32", "table", "--table=2", "--workdir=/mnt/a b")


def test_a_pod_is_created_installed_run_and_its_report_fetched(checkout):
  for name in ("README.md", "LICENSE"):
    shutil.copy(ROOT / name, checkout.root)
  (checkout.root / "configs").mkdir()
  printed = checkout.start(checkout.script, TPU[0], "--dry-run", *TPU[1:]).stdout.splitlines()
  words = [line.split()[4] for line in printed]
  assert words == ["create", "scp", "ssh", "ssh", "scp"]
  assert "--accelerator-type=v4-32" in printed[0]
  # The stub of gcloud keeps what is copied, and runs what the workers run.
  checkout.stub(
    "gcloud",
    """
for word in "$@"; do case $word in
  --command=*) sh -c "${word#--command=}" || exit ;;
  *.tar.gz) [ ! -e "$word" ] || cp "$word" jaxkd.tar.gz ;;
esac; done
echo "$4" >>"$UV_LOG.calls"
""",
  )
  checkout.stub("curl", 'echo "${WORKER:-0}"')
  (said,) = checkout.said(checkout.script, *TPU)
  assert (said["command"], said["argv"]) == ("table", ["--table=2", "--workdir=/mnt/a b"])
  assert said["cwd"] == str(checkout.elsewhere / "jaxkd")
  assert checkout.log.with_name("uv.log.calls").read_text().split() == words
  # Another worker is silent.
  assert checkout.said(checkout.script, *TPU, WORKER="1") == []


@pytest.mark.parametrize(
  ("words", "fetched"),
  [
    (["table", "--workdir", "/mnt/r"], "scp --recurse 'pod:/mnt/r/table*' runs"),
    (["main", "--workdir=gs://b/r"], "storage cp --recursive 'gs://b/r/report-*' runs"),
  ],
)
def test_the_reports_of_a_command_are_fetched_from_its_workdir(checkout, words, fetched):
  printed = checkout.start(checkout.script, "tpu", "--dry-run", "pod", "zone", *words).stdout
  assert fetched in printed.splitlines()[-1]
  assert ("JAXKD_EXTRAS=tpu,bucket" in printed) == ("gs://" in fetched)


def test_a_failure_of_gcloud_ends_with_its_status_and_one_line(checkout):
  for name in ("README.md", "LICENSE"):
    shutil.copy(ROOT / name, checkout.root)
  (checkout.root / "configs").mkdir()
  checkout.stub("gcloud", "exit 4")
  done = checkout.start(checkout.script, *TPU)
  assert done.returncode == 4
  assert done.stderr == "jaxkd: status 4 of gcloud compute tpus tpu-vm create pod\n"


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (["slurm", "--nodes=2"], "the command to run is missing"),
    (["slurm", "main"], "there is no sbatch"),
    (["slurm", "--nodes", "2", "main"], "the command to run is '2', must be one of"),
    (["slurm", "tabel"], "did you mean 'table'"),
    (["tpu", "pod"], "the command to run is missing"),
    (["tpu", "pod", "zone", "--crate=v4", "main"], "did you mean '--create'"),
    (["--processes=2", "slurm", "main"], "--processes is for commands"),
  ],
)
def test_a_wrong_job_is_refused_in_one_line(checkout, words, message):
  done = checkout.start(checkout.script, *words)
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert message in line
