"""ESKD stops its teacher early; TAKD distils through assistants."""

import pytest

from jaxkd.runs import planning


def test_an_early_stopped_teacher_has_a_third_of_the_epochs(tiny_config):
  (early,) = planning.student(tiny_config, "eskd", 0).teachers
  assert early.schedule["epochs"] == pytest.approx(tiny_config.teacher.epochs / 3)


def test_each_assistant_learns_from_the_network_before_it(tiny_config):
  tiny_config.teacher.name, tiny_config.teacher.options = "resnet20", {}
  tiny_config.takd.assistants = ("resnet14", "resnet8")
  chain = planning.student(tiny_config, "takd", 0).with_teachers()
  assert [phase.network["name"] for phase in chain] == ["resnet20", "resnet14", "resnet8", "mlp"]
