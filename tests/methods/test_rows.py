"""The phases of every row."""

import pytest

from jaxkd import methods
from jaxkd.runs import planning
from jaxkd.runs.config import default


def test_rows_share_a_teacher_under_every_seed(tiny_config):
  rows = ("kd", "ats", "isats", "fgcr", "dist")
  teachers = {planning.student(tiny_config, row, seed).teachers for row in rows for seed in (0, 1)}
  assert teachers == {(planning.teacher(tiny_config),)}


def test_every_row_has_its_own_student(tiny_config):
  names = methods.list_methods()
  assert len({planning.student(tiny_config, name, 0) for name in names}) == len(names)


# The objectives of the phases of a row; other rows have a teacher and a student.
CHAINS = {
  "nokd": ["cross_entropy"],
  "stkd": ["cross_entropy", "kd"],
  "eskd": ["cross_entropy", "kd"],
  "takd": ["cross_entropy", "kd", "kd"],
  "regt": ["regt", "kd"],
  "reskd": ["cross_entropy", "kd", "reskd"],
  "multi": ["cross_entropy", "cross_entropy", "multi"],
  "dgkd": ["cross_entropy", "dgkd", "dgkd"],
  "ban": ["cross_entropy", "ban", "ban", "ban"],
  "byot": ["byot"],
  "dml": ["dml"],
}


@pytest.mark.parametrize("name", sorted(methods.list_methods()))
def test_a_row_has_the_phases_of_its_definition(name, tiny_config):
  chain = planning.student(tiny_config, name, 0).with_teachers()
  expected = CHAINS.get(name, ["cross_entropy", name])
  assert [phase.objective["name"] for phase in chain] == expected


def test_a_network_with_a_section_takes_the_options_of_the_section(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.teacher.name = "vgg8"
  tiny_config.teacher.options = {"feature_dim": 2}
  tiny_config.small_teacher.init_from = str(file)
  tiny_config.small_teacher.seed = 5
  large, small = (
    planning.teacher(tiny_config),
    planning.ExperimentPlan(tiny_config, 0).small_teacher(),
  )
  for names in (("teacher", "small_teacher"), ("vgg8", "mlp")):
    tiny_config.multi.networks = tiny_config.takd.assistants = names
    assert planning.student(tiny_config, "multi", 0).teachers == (large, small)
    first, *chain, _ = planning.student(tiny_config, "takd", 0).with_teachers()
    assert first == large
    assert [phase.network for phase in chain] == [large.network, small.network]
    assert [phase.seed for phase in chain] == [large.seed, small.seed]


def test_a_network_without_a_section_is_trained_like_the_teacher(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.teacher.init_from = str(file)
  tiny_config.multi.networks = ("teacher", "vgg8")
  large, other = planning.student(tiny_config, "multi", 0).teachers
  assert large == planning.teacher(tiny_config)
  assert other.schedule == large.schedule
  assert (other.network["name"], other.network["options"]) == ("vgg8", {})
  assert "init_from" not in other.network
  # The row has an option for its initial weights.
  tiny_config.multi.init_from = ("", str(file))
  assert planning.student(tiny_config, "multi", 0).teachers[0] == large
  (_, other) = planning.student(tiny_config, "multi", 0).teachers
  assert other.network["init_from"] == large.network["init_from"]


def test_one_option_is_the_temperature_of_every_row_with_the_common_default(tiny_config):
  class Own(methods.Method):
    student_tau: float = methods.option(2.0)

  methods.register("own_with_temperature")(Own)
  try:
    config = default()
    taus = {row: planning.method(config, row).student_tau for row in ("kd", "own_with_temperature")}
    assert taus == {"kd": 1.0, "own_with_temperature": 2.0}
    config.student_tau, config.ats.student_tau = 4.0, 3.0
    for row, tau in (("kd", 4.0), ("fgcr", 4.0), ("ats", 3.0), ("own_with_temperature", 2.0)):
      assert planning.method(config, row).student_tau == tau
  finally:
    methods.unregister("own_with_temperature")
