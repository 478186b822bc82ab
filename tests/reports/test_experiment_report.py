"""The report of a run: its columns, its sentences, and the paper's accuracies."""

import contextlib
import csv
import io
import re
import sys

import jax
import pytest

import jaxkd
from jaxkd import main
from jaxkd.reports import experiment as report
from jaxkd.reports import guidance
from jaxkd.runs import paper, planning, published
from jaxkd.runs.experiment import Experiment, run
from jaxkd.runs.store import PhaseFolder


@pytest.fixture(scope="module")
def trained(make_tiny_config, tmp_path_factory):
  """A trained experiment with a validation split, and its lines on stderr."""
  config = make_tiny_config()
  config.rows = ("kd",)
  config.data.validation = 0.2
  one = Experiment.of(config, tmp_path_factory.mktemp("held_out"))
  with contextlib.redirect_stderr(io.StringIO()) as said:
    assert not run([one])
  return one, said.getvalue().splitlines()


@pytest.fixture
def held_out(trained):
  return trained[0]


def table_of(folder):
  with open(folder / "table.csv", newline="") as file:
    return {line["row"]: line for line in csv.DictReader(file)}


def test_a_validation_split_is_named_in_metrics_and_results(held_out):
  for phase in planning.with_teachers(held_out.students):
    folder = PhaseFolder.of(held_out.workdir, phase)
    result, lines = folder.result(), folder.logged()
    assert "test" not in result
    assert result["validation"]["accuracy"] == lines[-1]["validation_accuracy"]
    assert folder.accuracy == result["validation"]["accuracy"]
    for line in lines:
      assert {"validation_accuracy", "validation_loss"} <= line.keys()
      assert not any(name.startswith("test_") for name in line)


def test_a_validation_split_is_named_in_progress(trained):
  lines = [line for line in trained[1] if "accuracy" in line]
  assert lines
  assert all("validation accuracy" in line for line in lines)


def test_a_validation_split_is_named_in_the_report(held_out):
  folder = report.write(held_out)
  text = (folder / "report.md").read_text()
  assert "on the validation split of digits" in text
  assert "test split" not in text
  assert "validation accuracy" in (folder / "report.html").read_text()


def test_the_report_says_how_each_network_was_trained(held_out):
  folder = report.write(held_out)
  with open(folder / "training.csv", newline="") as file:
    teacher, student = csv.DictReader(file)
  assert teacher["network of"] == "teacher of kd"
  assert (teacher["learns from"], student["learns from"]) == ("labels", "mlp")
  # lam 0.5, times the squared temperature of the student, 1.
  assert (student["soft term's weight"], student["student's temperature"]) == ("0.5", "1")
  assert "lam 0.5, tau 4," in student["other options"]
  assert student["epochs"] == "0.5 epochs"
  assert re.fullmatch(r"trained \d{4}-\d\d-\d\d on \d+ CPU cores", student["origin"])


def test_the_report_says_how_often_labels_favour_a_wrong_class(held_out, monkeypatch):
  (student,) = held_out.students
  last = PhaseFolder.of(held_out.workdir, student).logged()[-1]
  folder = report.write(held_out)
  with open(folder / "guidance.csv", newline="") as file:
    (line,) = csv.DictReader(file)
  assert line["row"] == "kd"
  assert float(line[guidance.MISGUIDED]) == last["train_misguided"]
  assert float(line[guidance.LABEL_PROBABILITY]) == last["train_label_probability"]
  # The teacher's accuracy, since the label has one temperature.
  assert 0.02 < last["train_misguided"] < 1
  text = (folder / "report.md").read_text()
  assert f"has the largest probability: kd {100 * last['train_misguided']:.1f} %." in text
  fair = {**last, "train_misguided": 0.02}
  monkeypatch.setattr(PhaseFolder, "logged", lambda _: [fair])
  assert "more than 2 %" not in (report.write(held_out) / "report.md").read_text()
  # Logs of an earlier version have no guidance.
  del fair["train_misguided"]
  assert "Teacher's label" not in (report.write(held_out) / "report.md").read_text()


def test_the_report_says_where_its_numbers_come_from(held_out, monkeypatch):
  monkeypatch.setattr(sys, "argv", [main.__file__, "--config=a config.py", "--workdir=runs"])
  text = (report.write(held_out) / "report.md").read_text()
  # A fifth of 1437 images is held out, rounded by class.
  assert "digits, 1,149 images to train on (0.2 of the training split is held out)" in text
  assert "288 in the validation split: one image is 0.35 points of accuracy" in text
  assert "data.validation = 0.2" in text
  assert "Command: python -m jaxkd.main '--config=a config.py' --workdir=runs" in text
  assert f"jaxkd {jaxkd.__version__}" in text
  assert f"jax {jax.__version__}" in text


@pytest.mark.parametrize(
  ("differences", "shown"),
  [([], True), (["student: 1 of 240 epochs", "10 % of the training data"], False)],
)
def test_the_papers_accuracy_is_shown_for_the_papers_experiment_only(
  held_out, monkeypatch, differences, shown
):
  monkeypatch.setattr(paper, "accuracies", lambda *_: {"kd": 70.0})
  monkeypatch.setattr(paper, "differences", lambda _: differences)
  folder = report.write(held_out)
  line = table_of(folder)["kd"]
  assert (line.get("paper (%)") == "70.00") == shown
  assert ("ours - paper" in line) == shown
  for name in ("report.md", "report.html"):
    text = (folder / name).read_text()
    assert ("paper (%)" in text) == shown
    assert (f"because of differences: {'; '.join(differences)}." in text) == (not shown)


def test_a_row_outside_the_paper_states_no_differences(held_out, monkeypatch):
  monkeypatch.setattr(paper, "accuracies", lambda *_: {"ats": 70.0})
  monkeypatch.setattr(paper, "differences", lambda _: ["student: 1 of 240 epochs"])
  assert "differences" not in (report.write(held_out) / "report.md").read_text()


def test_a_published_teacher_stands_beside_the_fully_trained_one_alone(
  tiny_config, tmp_path, monkeypatch, run_experiment
):
  tiny_config.rows = ("kd", "eskd")
  known = published.Published("published", {"teacher": 50.0, "kd": 60.0}, ())
  monkeypatch.setattr(published, "of", lambda _: known)
  lines = table_of(run_experiment(tiny_config, tmp_path))
  shown = {row: line["published (%)"] for row, line in lines.items()}
  assert shown == {"teacher of kd": "50.00", "teacher of eskd": "", "kd": "60.00", "eskd": ""}
