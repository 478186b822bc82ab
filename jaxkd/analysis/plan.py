"""The networks of an analysis, from its config."""

import itertools
import pathlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict, FieldReference, config_dict

from jaxkd.analysis.study import LABELS_OF_ROWS
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import StrPath
from jaxkd.common.spelling import nearest
from jaxkd.runs import planning, validation
from jaxkd.runs.store import PhaseFolder

# Options of `config.teacher` that choose the network; the others say how it is trained.
_WHICH = ("teacher.name", "teacher.options", "teacher.checkpoint", "teacher.predictions")


def add_teachers(config: ConfigDict, teachers: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
  """Adds the section `analysis` to a config, with names and options of teachers by title."""
  with config.unlocked():
    # The comparison of `jaxkd.analyze`.
    config.analysis = ConfigDict()
    # The most training examples that are measured.
    config.analysis.examples = 50_000
    # The networks by title. None stands for the option of `config.teacher`.
    config.analysis.teachers = {
      title: {**_unset(config), "name": name, "options": dict(options)}
      for title, (name, options) in teachers.items()
    }
    # All teachers are trained under each of these seeds; the tables then have mean and standard
    # deviation. Empty: once, under each teacher's own seed.
    config.analysis.seeds = ()
    # Fig. 9 also shows the largest teacher after these shares of its epochs, each a separate run;
    # the last is the early stop of the row eskd.
    config.analysis.stages = (1 / 40, 1 / 8, 1 / 3)
    # Networks that are trained as the config's student is, by all teachers, in `config.rows` and
    # under `config.seeds`, for Fig. 8 and the ATS paper's Fig. 3, which needs the row nokd. Empty:
    # no student is trained, and the figures show the config's student as far as the store has it.
    config.analysis.students = ()
    # The largest teacher's students are also trained at all temperatures of the ATS paper's
    # Fig. 10: thirty times, under each seed.
    config.analysis.grid = False


def _unset(config: ConfigDict) -> dict[str, FieldReference]:
  # None stands for the option of `config.teacher`; the placeholder has its type.
  return {key: config_dict.placeholder(type(value)) for key, value in config.teacher.items()}


def give_weights(config: ConfigDict, texts: Sequence[str], given: Iterable[str] = ()) -> None:
  """Replaces a config's teachers by networks with the weights of files, `NETWORK=FILE` each.

  They are evaluated as they are. `given` are the options set by hand, among which teachers' have no
  effect then.
  """
  if len(texts) < 2:
    raise ConfigError(f"--weights is {texts[0]!r} only; a comparison needs two networks or more")
  for option in given:
    if option.startswith("analysis.teachers"):
      raise ConfigError(f"config.{option} has no effect here: --weights gives the networks")
  teachers: dict[str, dict[str, Any]] = {}
  for text in texts:
    name, equals, file = text.partition("=")
    if not equals:
      raise ConfigError(f"--weights is {text!r}, must be NETWORK=FILE: resnet20=weights.pth")
    if any((name, file) == (one["name"], one["init_from"]) for one in teachers.values()):
      raise ConfigError(f"--weights names {text!r} twice")
    title = _new_title(name, pathlib.PurePath(file).stem, teachers)
    teachers[title] = {**_unset(config), "name": name, "init_from": file, "epochs": 0.0}
  with config.unlocked():
    config.analysis.teachers = teachers


def _new_title(name: str, stem: str, taken: Container[str]) -> str:
  """Returns the first title that is not taken: the name, with the file's stem, or numbered."""
  # Titles are fields of a config, which have no dots.
  short, long = (re.sub(r"\W", "_", text) for text in (name, f"{name}_{stem}"))
  numbered = (f"{long}_{number}" for number in itertools.count(2))
  return next(title for title in itertools.chain((short, long), numbered) if title not in taken)


class Source(NamedTuple):
  """A network of an analysis."""

  title: str  # its name in the report
  config: ConfigDict  # the experiment in which it is the teacher
  entry: PhaseFolder  # its place in the store
  experiments: tuple[ConfigDict, ...]  # the same experiment with each student


def validate(config: ConfigDict, given: Iterable[str] = ()) -> None:
  """Checks all options before any work; refuses an option set by hand that has no effect."""
  validation.validate(config)
  if len(config.get("analysis", {}).get("teachers", {})) < 2:
    raise ConfigError(
      "config.analysis.teachers must have two networks or more; see configs/analysis_digits.py"
    )
  options = config.analysis
  for option in given:
    if option.startswith((*_WHICH, "student.name") if options.students else _WHICH):
      raise ConfigError(
        f"config.{option} has no effect here: the networks are those of "
        f"config.analysis.{option.partition('.')[0]}s"
      )
  for title, teacher in options.teachers.items():
    for key in set(teacher) - set(config.teacher):
      raise ConfigError(
        f"config.analysis.teachers.{title} has {key!r}, must be {nearest(key, config.teacher)}"
      )
  seeds, names = options.seeds, options.students
  proper = all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds)
  ascending = all(a < b for a, b in itertools.pairwise((0, *options.stages, 1)))
  for option, holds, must in (
    ("examples", options.examples >= 2, "at least 2"),
    ("seeds", proper and len(set(seeds)) == len(seeds), "integers in [0, 2**32), each once"),
    ("stages", ascending, "ascending in (0, 1)"),
    ("students", len(set(names)) == len(names), "without repetitions"),
    ("students", names or not options.grid, "one or more, since config.analysis.grid is True"),
  ):
    if not holds:
      raise ConfigError(f"config.analysis.{option} is {options[option]}, must be {must}")
  rows = ("nokd", *LABELS_OF_ROWS)  # the students of these are drawn
  for row in config.rows if names else ():
    if row not in rows:
      raise ConfigError(
        f"config.rows is {config.rows}: {row!r} of config.analysis.students must be "
        f"{nearest(row, rows)}"
      )
  experiments = {f"teachers.{title}": one for title, one in _experiments(config)}
  for one in experiments.values():
    # The check needs some row with a teacher.
    one.rows = ("kd",)
  experiments |= {f"students, {name}": _with_student(config, name) for name in names}
  for place, one in experiments.items():
    try:
      validation.validate(one)
    except ConfigError as error:
      raise ConfigError(f"config.analysis.{place}: {error}") from error


def _with_student(config: ConfigDict, name: str) -> ConfigDict:
  """Returns the experiment with another student, trained like the config's."""
  one = config.copy_and_resolve_references()
  if name != config.student.name:
    with one.unlocked():
      one.student.name, one.student.options, one.student.init_from = name, {}, ""
  return one


def sources(config: ConfigDict, workdir: StrPath) -> list[list[Source]]:
  """Returns the teachers, in the config's order, for each seed."""
  names = config.analysis.students or (config.student.name,)

  def source(title: str, one: ConfigDict) -> Source:
    given = one.teacher.checkpoint
    entry = PhaseFolder.open(given) if given else PhaseFolder.of(workdir, planning.teacher(one))
    return Source(title, one, entry, tuple(_with_student(one, name) for name in names))

  seeds = config.analysis.seeds or (None,)
  return [[source(*found) for found in _experiments(config, seed)] for seed in seeds]


def stages(source: Source, workdir: StrPath) -> list[Source]:
  """Returns a teacher after each share of its epochs, from short to long."""
  # The config does not say how to train a given network again.
  if source.config.teacher.checkpoint or source.entry.phase.given:
    return []
  phases = [source.entry.phase.shortened(share) for share in source.config.analysis.stages]
  return [source._replace(entry=PhaseFolder.of(workdir, p)) for p in phases]


def _experiments(config: ConfigDict, seed: int | None = None) -> Iterator[tuple[str, ConfigDict]]:
  """Yields by title the experiment in which each network is the teacher."""
  for title, teacher in config.analysis.teachers.items():
    one = config.copy_and_resolve_references()
    own = {key: value for key, value in teacher.items() if value is not None}
    with one.unlocked():
      # These two belong to another network; the other options hold for this one too.
      one.teacher.options, one.teacher.checkpoint = {}, ""
      one.teacher.update(own)
    if seed is not None:
      one.teacher.seed = seed
    yield title, one
