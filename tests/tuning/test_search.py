"""A search trains a row at every point of a grid, and finds the best."""

import csv

import pytest

from jaxkd.common.errors import ConfigError
from jaxkd.runs import predicted, queue
from jaxkd.training.loop import NonFiniteError
from jaxkd.tuning.report import write
from jaxkd.tuning.search import best, search


def test_a_non_finite_point_is_left_out(tiny_config, tmp_path, monkeypatch, capsys):
  tiny_config.data.validation = 0.1
  values = {"regt.beta": (5.0, 0.01)}

  def train(job, _):
    (student,) = job.students
    if getattr(student.objective, "beta", 0) == 5.0:
      raise NonFiniteError("not finite", 0)
    return [{"validation": {"accuracy": 0.5}}]

  monkeypatch.setattr(queue, "train", train)
  monkeypatch.setattr(predicted.teachers, "load", lambda *_: None)
  found = search(tiny_config, "regt", values, tmp_path)
  # The first teacher failed, so its student was not trained.
  assert [point.accuracies for point in found] == [None, (0.5,)]
  assert best(found).values == {"regt.beta": 0.01}
  assert "the other phases continue" in capsys.readouterr().err
  folder = write(tiny_config, "regt", values, found, tmp_path)
  with open(folder / "table.csv") as file:
    remarks = [line["remark"] for line in csv.DictReader(file)]
  assert remarks == ["not finite", "chosen"]
  assert (folder / "grid.png").exists()


def test_a_search_without_a_finite_point_fails(tiny_config, tmp_path):
  tiny_config.data.validation = 0.1
  with pytest.raises(NonFiniteError, match="not finite at step"):
    search(tiny_config, "regt", {"regt.beta": (1e38,)}, tmp_path)


def test_every_point_is_checked_before_anything_is_trained(tiny_config, tmp_path):
  tiny_config.data.validation = 0.1
  with pytest.raises(ConfigError, match=r"config.fgcr.alpha is 2.0, must be a number in"):
    search(tiny_config, "fgcr", {"fgcr.alpha": (0.5, 2.0)}, tmp_path)
  tiny_config.data.validation = 0.0
  with pytest.raises(ConfigError, match=r"data.validation is 0"):
    search(tiny_config, "fgcr", {"fgcr.alpha": (0.5,)}, tmp_path)
  assert not list(tmp_path.iterdir())
