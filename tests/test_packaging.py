"""Extras, the public names and the command `jaxkd`."""

import ast
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

import jaxkd
from jaxkd.common import extras, shell

ROOT = pathlib.Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = CONFIGURATION["project"]

# Packages that the dependencies of the bare install bring with them.
BARE = {"absl", "scipy"}

IMPORTED_AS = {
  "absl_py": "absl",
  "orbax_checkpoint": "orbax",
  "pillow": "PIL",
  "scikit_learn": "sklearn",
}


def packages(extra):
  """Returns the packages of an extra, by the name that is imported."""
  found = set()
  for requirement in PROJECT["optional-dependencies"][extra]:
    own = re.fullmatch(rf"{shell.DISTRIBUTION}\[(.*)\]", requirement)
    if own:
      found = found.union(*map(packages, own[1].split(",")))
    else:
      name = re.match(r"[\w-]+", requirement)[0].replace("-", "_")
      found.add(IMPORTED_AS.get(name, name))
  return found


def imports(path):
  """Returns the packages that a module imports, anywhere in it."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield node.module.partition(".")[0]


@pytest.fixture
def run(tmp_path):
  """Runs Python on jaxkd where the packages of `without` are not installed."""

  def python(*argv, without=()):
    (tmp_path / "sitecustomize.py").write_text(
      "import sys\nclass Absent:\n  def find_spec(name, *_):\n"
      f"    if name.partition('.')[0] in {set(without)!r}:\n"
      "      raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
      "sys.meta_path.insert(0, Absent)\n"
    )
    return subprocess.run(
      [sys.executable, *argv],
      cwd=tmp_path,
      env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
      capture_output=True,
      text=True,
    )

  return python


@pytest.mark.parametrize("kind", ["html", "csv", "npy"])
def test_the_files_that_modules_read_are_packaged(kind):
  patterns = CONFIGURATION["tool"]["setuptools"]["package-data"]["jaxkd"]
  packaged = {path for pattern in patterns for path in (ROOT / "jaxkd").glob(pattern)}
  files = set((ROOT / "jaxkd").rglob(f"*.{kind}"))
  assert files
  assert files <= packaged


def test_every_imported_package_is_installed_by_an_extra():
  known = set(sys.stdlib_module_names) | {"jaxkd", "jax", "numpy", "optax"}
  known |= {*extras.OPTIONAL, *extras.OWN_EXTRA}
  # JAX depends on it.
  known.add("ml_dtypes")
  for path in (ROOT / "jaxkd").rglob("*.py"):
    unknown = set(imports(path)) - known
    # A module in the same folder.
    unknown = {name for name in unknown if not (path.parent / f"{name}.py").exists()}
    assert not unknown, path


def test_the_extra_all_has_the_optional_packages():
  assert packages("all") == set(extras.OPTIONAL)
  for name in extras.OWN_EXTRA.values():
    assert name in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("name", ["losses", "metrics"])
def test_losses_and_metrics_need_no_extra(run, name):
  done = run("-c", f"import jaxkd; jaxkd.{name}", without={*extras.OPTIONAL} - BARE)
  assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
  ("name", "package", "extra"), [("models", "flax", "train"), ("data", "PIL", "data")]
)
def test_a_public_name_reports_its_missing_extra(run, name, package, extra):
  done = run("-c", f"from jaxkd import {name}", without={package})
  assert done.stderr.splitlines()[-1] == (
    f"ModuleNotFoundError: jaxkd.{name}: {package} is not installed: "
    f"{sys.executable} -m pip install 'jaxkd-distill[{extra}]'"
  )


@pytest.mark.parametrize("command", [["jaxkd.table"], ["jaxkd", "table"]])
def test_a_command_reports_its_missing_extra_in_one_line(run, command):
  done = run("-m", *command, without={"flax"})
  assert done.returncode == 2
  install = f"{sys.executable} -m pip install 'jaxkd-distill[all]'"
  assert done.stderr == f"jaxkd: flax is not installed: {install}\n"


def test_other_failed_imports_keep_their_traceback(run):
  done = run("-m", "jaxkd.table", without={"csv"})
  assert done.returncode == 1
  assert "Traceback" in done.stderr


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="'jaxkd' has no attribute 'loses'"):
    jaxkd.loses  # noqa: B018


@pytest.mark.parametrize("argv", [[], ["help"], ["-h"], ["--help"]])
def test_help_lists_the_commands_without_jax(run, argv):
  done = run("-m", "jaxkd", *argv, without={"jax", "absl"})
  assert done.returncode == 0, done.stderr
  listed = re.findall(r"^  (\w+) +(\S.*)$", done.stdout, re.MULTILINE)
  assert {"main", "table", "tune", "analyze", "prepare", "export"} <= {name for name, _ in listed}
  assert not {"cli", "__main__"} & {name for name, _ in listed}


@pytest.mark.parametrize("argv", [["help"], ["export", "--help"]])
def test_help_that_nobody_reads_is_no_error(tmp_path, argv):
  left, right = os.pipe()
  os.close(left)
  words = [sys.executable, "-m", "jaxkd", *argv]
  done = subprocess.run(words, stdout=right, stderr=subprocess.PIPE, cwd=ROOT)
  os.close(right)
  assert (done.returncode, done.stderr) == (0, b"")


def test_an_unknown_command_is_refused_with_the_nearest(run):
  done = run("-m", "jaxkd", "tabel")
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert line.startswith("jaxkd: the command is 'tabel', must be one of ")
  assert line.endswith("did you mean 'table'?")


def test_an_option_of_the_launcher_is_refused_with_its_command(run):
  done = run("-m", "jaxkd", "--processes=2", "main")
  assert done.returncode == 2
  assert done.stderr.endswith("here it is a command: jaxkd processes 2 COMMAND\n")


@pytest.mark.parametrize("argv", [["export", "-h"], ["export", "help"], ["help", "export"]])
def test_a_command_lists_its_flags(run, argv):
  done = run("-m", "jaxkd", *argv)
  assert done.returncode == 0, done.stderr
  assert "--step" in done.stdout


def test_a_command_with_a_config_lists_its_flags(run):
  done = run("-m", "jaxkd", "main", "help")
  assert done.returncode == 0, done.stderr
  assert "--config.OPTION=VALUE" in done.stdout
  assert "jaxkd explain" in done.stdout


def test_the_version_is_printed(run):
  assert run("-m", "jaxkd", "--version").stdout == f"{jaxkd.__version__}\n"


def test_flags_without_a_command_are_those_of_main(run):
  done = run("-m", "jaxkd", "--config=configs/digits_isats")
  assert done.returncode == 2
  assert done.stderr.startswith("jaxkd: --config is 'configs/digits_isats', must be a file")


def test_the_script_finds_modules_in_the_working_directory(run, tmp_path):
  (tmp_path / "mine.py").write_text("print('mine is imported')")
  # As in the installed script, the path begins with another folder.
  script = (
    "import runpy, sys; sys.path[0] = '/nowhere'; sys.path.remove(sys.argv.pop())\n"
    "from jaxkd import __main__\n"
    "runpy.run_module = lambda *_, **__: __import__('mine')\n"
    "__main__.main()"
  )
  done = run("-c", script, "table", str(tmp_path))
  assert done.stdout == "mine is imported\n", done.stderr


def test_the_version_is_the_same_everywhere():
  assert f"\nversion: {jaxkd.__version__}\n" in (ROOT / "CITATION.cff").read_text()
