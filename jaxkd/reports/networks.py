"""The table of how each network of a report was trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxkd import data
from jaxkd.reports.tables import Lines, shown
from jaxkd.runs.phase import Phase, duration
from jaxkd.training import optim
from jaxkd.training.jobs import GIVEN

# They have a column of their own, or say nothing to a reader.
_HIDDEN = ("name", "version", "source")
_WITH_COLUMNS = (*_HIDDEN, "student_tau")


def table(networks: Sequence[tuple[str, Sequence[Phase]]], origins: Mapping[Phase, str]) -> Lines:
  """Returns a line for each network; `networks` has its name and phases, one for each seed.

  `origins` says where each phase's network came from.
  """
  lines = []
  for name, phases in networks:
    first = phases[0]
    teachers = dict.fromkeys(t.network["name"] for phase in phases for t in phase.teachers)
    training = {
      "learns from": ", ".join(teachers) or "labels",
      "method": first.objective["name"],
      "soft term's weight": soft_weight(first.objective),
      "student's temperature": _text(first.objective.get("student_tau", "")),
      "other options": _options(first.objective),
      "epochs": duration(first.epochs),
      "learning rate": _text(first.schedule["learning_rate"]),
      "batch": str(first.data["batch_size"]),
      "recipe": _recipe(first),
      "seeds": ", ".join(str(phase.seed) for phase in phases),
    }
    if first.given:  # its training is unknown
      training = {**dict.fromkeys(training, ""), "method": GIVEN}
    origin = "; ".join(dict.fromkeys(origins[phase] for phase in phases))
    own = {"network of": name, "network": described(first.network)}
    lines.append({**own, **training, "origin": origin})
  # Without the columns that are empty in every line.
  filled = [column for column in lines[0] if any(line[column] for line in lines)]
  return [{column: line[column] for column in filled} for line in lines]


def described(network: Mapping[str, Any]) -> str:
  """Returns the name of a network with its options and its weights at the start."""
  options = [f"{key}={value}" for key, value in network["options"].items()]
  options += ["bfloat16"] if network["dtype"] == "bfloat16" else []
  options += ["from given weights"] if "init_from" in network else []
  shown = f" ({', '.join(options)})" if options else ""
  return network["name"] + shown


def method(phase: Phase) -> str:
  """Returns the method that trained a network, with its options."""
  options = _options(phase.objective)
  return phase.objective["name"] + (f" ({options})" if options else "")


def soft_weight(objective: Mapping[str, Any]) -> str:
  """Returns the factor of the teacher's term: lam times the student's squared temperature.

  Empty for methods without these two options.

  Examples:
    >>> soft_weight({"name": "kd", "lam": 0.5, "student_tau": 4.0, "weight": 1.0})
    '8'
  """
  if not {"lam", "student_tau"} <= objective.keys():
    return ""
  factor = objective["lam"] * objective["student_tau"] ** 2 * objective.get("weight", 1.0)
  return f"{factor:.4g}"


def _options(objective: Mapping[str, Any], hidden: Sequence[str] = _WITH_COLUMNS) -> str:
  if "+" in objective["name"]:
    factors = objective["weights"].items()
    each = (f"{factor:g} {name}: {_options(objective[name], _HIDDEN)}" for name, factor in factors)
    return "; ".join(each)
  own = {key: value for key, value in objective.items() if key not in hidden and value is not None}
  return ", ".join(f"{key} {_text(value)}" for key, value in own.items())


def _recipe(phase: Phase) -> str:
  """Returns the options of optimiser and augmentation that are not the usual ones."""
  own = optim.unusual(phase.schedule) | data.Augmentation.of(phase.data).used()
  text = ", ".join(f"{key} {_text(value)}" for key, value in own.items())
  return f"{text}; evaluated: the averaged weights" if own.get("ema") else text


def _text(value: Any) -> str:
  if isinstance(value, bool):
    return str(value)
  if isinstance(value, list | tuple):
    return "/".join(map(_text, value))
  return f"{value:g}" if isinstance(value, float) else shown(value)
