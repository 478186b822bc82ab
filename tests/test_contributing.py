"""The examples of CONTRIBUTING.md and the README work as they are printed."""

import pathlib
import re
import sys

import pytest

from jaxkd import main, methods, models
from jaxkd.data import registry
from jaxkd.runs.store import PhaseFolder

ROOT = pathlib.Path(__file__).parents[1]


def blocks(file):
  return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.S)


def block(file, marker):
  (found,) = [code for code in blocks(file) if marker in code]
  return found


@pytest.fixture
def own_package(tmp_path, monkeypatch):
  """A user's package with the method, the network and the data of CONTRIBUTING.md."""
  package = tmp_path / "ownpackage"
  package.mkdir()
  (package / "__init__.py").write_text("")
  for name, marker in (
    ("mse", '@register("mse")'),
    ("nets", "class SmallCNN"),
    ("brightness", "def load()"),
  ):
    (package / f"{name}.py").write_text(block("CONTRIBUTING.md", marker))
  monkeypatch.syspath_prepend(tmp_path)
  yield tmp_path
  methods.unregister("mse")
  for forget in (models.registry.ARCHITECTURES, registry._OWN):
    for name in ("small_cnn", "brightness"):
      forget.pop(name, None)
  for name in [name for name in sys.modules if name.startswith("ownpackage")]:
    del sys.modules[name]


CONFIG = """
import ownpackage.brightness, ownpackage.mse, ownpackage.nets
from jaxkd.runs.recipes import recipe

def get_config():
  config = recipe("digits", title="own", rows=("mse",))
  config.data.name = "brightness"
  config.student.name = "small_cnn"
  config.student.options = {"width": 4}
  config.teacher.name = "mlp"
  config.teacher.options = {"depth": 1, "width": 16}
  config.teacher.epochs = config.student.epochs = 1.0
  config.seeds = (0,)
  return config
"""


def test_a_users_method_network_and_data_run_by_their_names(own_package, command, capsys):
  file = own_package / "own.py"
  file.write_text(CONFIG)
  flags = [f"--config={file}", f"--workdir={own_package / 'runs'}", "--config.mse.weight=2"]
  command(main.main, *flags)
  (student,) = (own_package / "runs").glob("brightness-small_cnn-mse-*")
  phase = PhaseFolder.open(student).phase
  assert phase.objective["weight"] == 2
  assert phase.objective["source"]
  assert phase.network["source"]
  assert phase.data["class_names"] == ["dark", "bright"]
  assert "train_gap" in PhaseFolder.open(student).logged()[-1]
  # An equal run is reused, a run of another width is not.
  command(main.main, *flags)
  assert f"reused: {student.name}, trained 20" in capsys.readouterr().err
  command(main.main, *flags, "--config.student.options.width=8")
  assert len(list((own_package / "runs").glob("brightness-small_cnn-mse-*"))) == 2


def test_a_users_method_network_and_data_run_by_their_addresses(own_package, command):
  command(
    main.main,
    "--config=configs/digits_isats.py:student=mlp,teacher=mlp",
    f"--workdir={own_package / 'runs'}",
    "--config.rows=ownpackage.mse:MSE",
    "--config.data.name=ownpackage.brightness:load",
    "--config.student.name=ownpackage.nets:SmallCNN",
    "--config.teacher.epochs=1.0",
    "--config.student.epochs=1.0",
    "--config.seeds=0",
  )
  (student,) = (own_package / "runs").glob("*SmallCNN*")
  assert PhaseFolder.open(student).phase.network["source"]


def test_the_distillation_of_the_readme_runs(capsys):
  code = block("README.md", "jaxkd.distill(")
  scope = {}
  exec(compile(code, "README.md", "exec"), scope)
  assert 0 < float(capsys.readouterr().out) <= 1
