"""Recipes of analyses: the argument selects the teachers."""

import pytest

from jaxkd.analysis.recipes import analysis
from jaxkd.common.errors import ConfigError


def test_the_argument_selects_the_teachers():
  def teachers(arg):
    config = analysis("cifar100", arg, {"a": ["resnet8"], "b": ["vgg8"]})
    names = [teacher.name for teacher in config.analysis.teachers.values()]
    return dict.fromkeys(names, config.teacher.epochs)

  assert teachers(None) == {"resnet8": 240}
  assert teachers("series=b,epochs=9.5") == {"vgg8": 9.5}
  assert teachers("runlocal,teachers=vgg8+vgg11") == {"vgg8": 4, "vgg11": 4}


@pytest.mark.parametrize(
  ("arg", "message"),
  [
    ("series=c", "'series' is 'c', must be one of a"),
    ("epochs=x", "'epochs' is 'x', must be a number"),
  ],
)
def test_a_wrong_argument_of_an_analysis_is_named(arg, message):
  with pytest.raises(ConfigError, match=message):
    analysis("cifar100", arg, {"a": ["resnet8"]})
