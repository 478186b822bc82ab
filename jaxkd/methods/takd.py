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
    return plan.student(plan.options("kd"), chain(plan, plan.options("kd"))[-1])


def chain(plan: Plan, objective: Method, *, dense: bool = False) -> list[Any]:
  """Returns the teacher and the assistants of `takd`, each trained with an objective.

  Each learns from the one before it, or if `dense` from all before it.

  Raises:
    ConfigError: there is no assistant, or one is larger than the network before it.
  """
  own: Any = plan.options("takd")
  if not own.assistants:
    raise ConfigError("config.takd.assistants is (), must be one network or more")
  networks = [plan.teacher()]
  for network in plan.assistants(own.assistants, own.init_from):
    last = networks[-1]
    assistant = plan.train(network, objective, *(networks if dense else [last]))
    size, larger = plan.parameters(assistant), plan.parameters(last)
    if size > larger:
      raise ConfigError(
        f"config.takd.assistants is {own.assistants}, must be networks no larger than the one that "
        f"teaches them: {network.name} has {size:,} parameters, its teacher has {larger:,}"
      )
    networks.append(assistant)
  return networks
