"""TAKD (Mirzadeh et al., AAAI 2020): KD through assistants of middle size."""

from typing import Any

from jaxkd.common.errors import ConfigError
from jaxkd.methods import Method, Plan, option, register
from jaxkd.methods.kd import STKD


@register("takd")
class TAKD(Method):
  """KD with the options of `kd`, through assistants; each learns from the network before it."""

  assistants: tuple[str, ...] = option(
    ("resnet14",),
    "the largest first; the paper names none. 'teacher' and 'small_teacher', or the "
    "names of their networks, stand for their sections",
    selects=True,
  )
  init_from: tuple[str, ...] = option(
    (),
    "files of initial weights, one for each, '' for none; empty: those of the sections",
    selects=True,
  )

  search = STKD.search

  def phases(self, plan: Plan) -> Any:
    """Returns the student of the last assistant.

    Raises:
      ConfigError: there is no assistant, or one is larger than the network that teaches it.
    """
    if not self.assistants:
      raise ConfigError("config.takd.assistants is (), must be one network or more")
    last = plan.teacher()
    for network in plan.assistants(self.assistants, self.init_from):
      assistant = plan.train(network, plan.options("kd"), last)
      own, theirs = plan.parameters(assistant), plan.parameters(last)
      if own > theirs:
        raise ConfigError(
          f"config.takd.assistants is {self.assistants}, must be networks no larger than the one "
          f"that teaches them: {network.name} has {own:,} parameters, its teacher has {theirs:,}"
        )
      last = assistant
    return plan.student(plan.options("kd"), last)
