"""Analyses teachers: `python -m jaxkd.analyze --config=configs/analysis_...`.

Or those whose logits any framework has saved, from small to large:
`python -m jaxkd.analyze --logits=teacher_small.npz,teacher_large.npz`.
"""

import jax
from absl import app, flags

from jaxkd import cli, data
from jaxkd.analysis import page, plan, saved, trained
from jaxkd.analysis.study import Settings, Study
from jaxkd.common.errors import ConfigError
from jaxkd.tuning import tuned

flags.adopt_module_key_flags(cli)
_LOGITS = flags.DEFINE_list(
  "logits",
  None,
  "instead of --config: a .npz file for each teacher, from small to large, "
  "with arrays logits [N, C], labels [N] and, if there are, features [N, D], "
  "class_names [C]",
)
_TAU = flags.DEFINE_float("tau", None, "temperature; if not given that of the config's kd, or 4")
_K = flags.DEFINE_integer(
  "k",
  None,
  "classes in the rank set overlap; if not given 5, or all of fewer",
  1,
)


def _settings(settings: Settings, num_classes: int) -> Settings:
  """Returns the settings that the flags change, checked."""
  if _TAU.value is not None:
    settings = settings._replace(tau=_TAU.value)
  k = min(settings.k, num_classes) if _K.value is None else _K.value
  settings = settings._replace(k=k)
  try:
    settings.check(num_classes)
  except ValueError as error:
    raise ConfigError(str(error)) from error
  return settings


def _studies() -> tuple[list[Study], Settings]:
  """Returns what the flags describe; trains what is missing of it."""
  if _LOGITS.value is not None:
    if cli.CONFIG.value is not None:
      raise ConfigError("--logits and --config exclude each other")
    study = saved.read(_LOGITS.value)
    return [study], _settings(Settings(), len(study.class_names))
  config = cli.config()
  plan.validate(config, cli.given())
  num_classes = data.find(config.data.name, config.data.data_dir).num_classes
  settings = _settings(plan.settings(config), num_classes)

  def choose(config):
    tuned.apply(config, cli.choices(), cli.given())

  return trained.studies(config, cli.WORKDIR.value, choose), settings


def run(_: list[str]) -> None:
  """Analyses what the flags describe."""
  with cli.command():
    try:
      studies, settings = _studies()
    except saved.SavedError as error:
      raise ConfigError(str(error)) from error
    if jax.process_index() != 0:
      return
    folder = page.write(studies, settings, cli.WORKDIR.value)
  print((folder / "report.md").read_text())
  print(f"Written to {folder}; open report.html there.")


if __name__ == "__main__":
  app.run(run, flags_parser=cli.parse)
