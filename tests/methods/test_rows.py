"""The phases of every row."""

from jaxkd import methods
from jaxkd.runs import planning


def test_rows_share_a_teacher_under_every_seed(tiny_config):
  rows = ("kd", "ats", "isats", "fgcr", "dist")
  teachers = {planning.student(tiny_config, row, seed).teachers for row in rows for seed in (0, 1)}
  assert teachers == {(planning.teacher(tiny_config),)}


def test_every_row_has_its_own_student(tiny_config):
  names = methods.list_methods()
  assert len({planning.student(tiny_config, name, 0) for name in names}) == len(names)


def test_each_row_has_the_phases_of_its_definition(tiny_config):
  chains = {
    name: [
      phase.objective["name"] for phase in planning.student(tiny_config, name, 0).with_teachers()
    ]
    for name in methods.list_methods()
  }
  assert chains == {
    "nokd": ["cross_entropy"],
    "stkd": ["cross_entropy", "kd"],
    "kd": ["cross_entropy", "kd"],
    "eskd": ["cross_entropy", "kd"],
    "takd": ["cross_entropy", "kd", "kd"],
    "sckd": ["cross_entropy", "sckd"],
    "dist": ["cross_entropy", "dist"],
    "ats": ["cross_entropy", "ats"],
    "fgcr": ["cross_entropy", "fgcr"],
    "regt": ["regt", "kd"],
    "isats": ["cross_entropy", "isats"],
    "reskd": ["cross_entropy", "kd", "reskd"],
    "dkd": ["cross_entropy", "dkd"],
    "wttm": ["cross_entropy", "wttm"],
    "rkd": ["cross_entropy", "rkd"],
    "at": ["cross_entropy", "at"],
    "fitnet": ["cross_entropy", "fitnet"],
    "crd": ["cross_entropy", "crd"],
    "multi": ["cross_entropy", "cross_entropy", "multi"],
  }


def test_a_network_with_a_section_is_as_the_section_says(tiny_config, tmp_path):
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


def test_a_network_without_a_section_is_trained_as_the_teacher_is(tiny_config, tmp_path):
  file = tmp_path / "weights"
  file.write_bytes(b"")
  tiny_config.teacher.init_from = str(file)
  tiny_config.multi.networks = ("teacher", "vgg8")
  large, other = planning.student(tiny_config, "multi", 0).teachers
  assert large == planning.teacher(tiny_config)
  assert other.schedule == large.schedule
  assert (other.network["name"], other.network["options"]) == ("vgg8", {})
  assert "init_from" not in other.network
  # Its weights have an option of their own.
  tiny_config.multi.init_from = ("", str(file))
  assert planning.student(tiny_config, "multi", 0).teachers[0] == large
  (_, other) = planning.student(tiny_config, "multi", 0).teachers
  assert other.network["init_from"] == large.network["init_from"]
