"""The pages of first steps work as they are printed, with small networks and few epochs.

Every line of a block that begins with ./launch.sh runs in this process, one after another, in a
folder of its own. Python blocks of a page share their names.
"""

import csv
import glob
import importlib.util
import pathlib
import re
import shlex
import sys

import jax
import photographs
import pytest
from flax import nnx

from jaxkd import models
from jaxkd.models import weights

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ("main", "table", "tune", "analyze", "explain")


def blocks(page, language):
  text = (ROOT / "docs" / "pages" / page).read_text()
  return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def start(tmp_path, monkeypatch, command):
  """Returns a function that runs a line of a page."""
  (tmp_path / "configs").symlink_to(ROOT / "configs")
  monkeypatch.chdir(tmp_path)

  def run(line):
    script, *words = shlex.split(line)
    assert script == "./launch.sh"
    # A shell replaces patterns by the files that exist.
    words = [path for word in words for path in (sorted(glob.glob(word)) or [word])]
    words = [word for word in words if not word.startswith("--processes=")]
    name = "main" if words[0].startswith("-") else words.pop(0)
    module = importlib.import_module(f"jaxkd.{name}")
    if name in CONFIGS:
      command(module.main, *words, words=name == "explain")
    elif name == "slurm":
      monkeypatch.setattr(sys, "argv", ["slurm", *words])
      module.main()
    else:
      module.main(words)

  return run


def run_page(page, start, replaced, without=()):
  """Runs a page's shell blocks; `replaced` makes the commands small, each must be there."""
  text = "".join(blocks(page, "sh"))
  for old, new in replaced.items():
    assert old in text
    text = text.replace(old, new)
  for line in text.splitlines():
    if line.endswith(without):
      continue
    start(line)


def run_python(page):
  """Runs a page's Python blocks with JAX as users have it, not as strict as in other tests."""
  scope = {}
  with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
    for code in blocks(page, "python"):
      exec(compile(code, page, "exec"), scope)


SMALL = "--config.student.epochs=0.2 --config.teacher.epochs=0.1 --config.seeds=0"


def test_the_page_of_the_student(start, capsys):
  run_page(
    "path_student.md",
    start,
    {
      "digits_isats.py ": "digits_isats.py:teacher=mlp,student=mlp ",
      "--config.rows=nokd,kd,isats": "--config.rows=isats",
      "--config.student.epochs=6": SMALL,
    },
    # The demonstration has tests of its own; another page sets up.
    without=("./launch.sh",),
  )
  said = capsys.readouterr()
  assert "| isats" in said.out
  assert "--config.isats.gap=1.0" in said.out
  # One teacher, a student of isats, and one of kd at another temperature.
  assert "\n3 phases, 3 finished" in said.out
  run_python("path_student.md")
  assert "temperature of ISATS" in capsys.readouterr().out


def test_the_page_of_the_engineer(start, capsys, monkeypatch, tmp_path):
  torch = pytest.importorskip("torch", reason="the extra torch is not installed")
  photographs.shrink(monkeypatch)
  photographs.write(tmp_path / "photos", train=6, test=3)
  (tmp_path / "new_photos").mkdir()
  for file in (tmp_path / "photos" / "test" / "fly").iterdir():
    file.rename(tmp_path / "new_photos" / file.name)
  photographs.write(tmp_path / "photos", train=6, test=3)
  teacher = models.create("resnet8", num_classes=3, rngs=nnx.Rngs(0))
  state = {name: torch.tensor(value) for name, value in weights.to_torch(teacher).items()}
  torch.save({"epoch": 9, "state_dict": state}, tmp_path / "resnet18.pth")
  run_page(
    "path_engineer.md",
    start,
    {
      "--model=resnet18": "--model=resnet8",
      "folder_isats.py ": "folder_isats.py:teacher=resnet8,student=resnet8 ",
      "--config.student.epochs=100": "--config.student.epochs=1 --config.rows=isats "
      "--config.data.batch_size=8",
      "folder-mobilenet_v2-isats-": "folder-resnet8-isats-",
    },
    without=() if importlib.util.find_spec("flatbuffers") else ("student.stablehlo",),
  )
  said = capsys.readouterr()
  assert "the teacher" not in said.err
  (report,) = (tmp_path / "runs").glob("report-folder_isats-*/report.md")
  text = report.read_text()
  assert "## Accuracy by class" in text
  assert "resnet8 is given: resnet18.safetensors" in text
  assert 'license: "CC BY 4.0"' in (tmp_path / "student.safetensors.md").read_text()
  with open(tmp_path / "found.csv", newline="") as file:
    found = [*csv.DictReader(file)]
  assert [line["rank"] for line in found] == ["1", "2"] * 3
  assert {line["class"] for line in found} <= set(photographs.CLASSES)


def test_the_page_of_the_notebook(capsys):
  run_python("path_notebook.md")
  teacher, student, variance, distilled = capsys.readouterr().out.splitlines()
  assert float(teacher.split()[-1]) > float(student.split()[-1]) > 0.6
  assert float(variance.split()[-1]) > 0
  assert 0 < float(distilled) <= 1


def test_the_page_of_the_operator(start, capsys):
  run_page(
    "path_cluster.md",
    start,
    {
      "digits_isats.py --config.rows": "digits_isats.py:teacher=mlp,student=mlp --config.rows",
      "--config.student.epochs=6": SMALL,
    },
    without=("./launch.sh setup",),
  )
  said = capsys.readouterr().out
  assert "#SBATCH --signal=TERM@120" in said
  assert "2 phases, 2 finished" in said
  assert "There is no unused phase in runs." in said
