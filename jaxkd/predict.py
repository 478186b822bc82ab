"""Writes what a teacher says of every training image under every view, for students to learn from.

  python -m jaxkd.predict --config=configs/digits_isats.py --config.data.views=4 --out=FOLDER
  python -m jaxkd.main --config=configs/digits_isats.py --config.data.views=4 \
    --config.teacher.predictions=FOLDER

The teacher is the config's: trained here, `teacher.checkpoint`, or given by `teacher.init_from`. A
teacher of any framework gets the views by --export_views and returns its logits by --import_logits.
"""

import pathlib
from typing import Any

from absl import app, flags

from jaxkd import cli
from jaxkd.common.errors import ConfigError, FileError, explained
from jaxkd.runs import foreign, prediction_files
from jaxkd.runs.validation import validate
from jaxkd.training.predictions import DTYPES

flags.adopt_module_key_flags(cli)
_OUT = flags.DEFINE_string("out", "", "folder of predictions (default: in the workdir)")
_STORAGE = flags.DEFINE_enum("storage", DTYPES[0], DTYPES, "type of the stored numbers")
_TOP = flags.DEFINE_integer("top", 0, "logits of an image that are stored, the largest; 0: all")
_FEATURES = flags.DEFINE_bool("features", False, "store the penultimate features, too")
_EXPORT = flags.DEFINE_string("export_views", "", "folder to write the views to, as .npy files")
_SIZE = flags.DEFINE_integer("view_size", 0, "height and width of exported views; 0: as is", 0)
_MEAN = flags.DEFINE_list("view_mean", [], "mean of exported views in [0, 1]; empty: raw, uint8")
_STD = flags.DEFINE_list("view_std", [], "standard deviation of exported views")
_FIRST = flags.DEFINE_bool("view_channels_first", False, "export [C, S, S], as PyTorch has it")
_LOGITS = flags.DEFINE_string("import_logits", "", ".npy file of [K, N, C], or [N, C] of one view")
_CLEAN = flags.DEFINE_string("import_clean", "", ".npy file of [N, C], of clean.npy; for `fgcr`")
_VIEWS = flags.DEFINE_string("import_views", "", "folder of --export_views, to be compared")
_CLASSES = flags.DEFINE_string("import_classes", "", "file of class names in the logits' order")
_NAME = flags.DEFINE_string("import_name", "imported", "name of the teacher in reports")


def _numbers(flag: flags.FlagHolder[list[str]]) -> tuple[float, ...]:
  try:
    return tuple(map(float, flag.value))
  except ValueError:
    raise ConfigError(f"--{flag.name} is {','.join(flag.value)}, must be numbers") from None


def _check_flags() -> None:
  """Raises a ConfigError for a flag that would have no effect."""
  pairs: list[tuple[flags.FlagHolder[Any], flags.FlagHolder[str]]]
  pairs = [(flag, _LOGITS) for flag in (_CLEAN, _VIEWS, _CLASSES, _NAME)]
  pairs += [(flag, _EXPORT) for flag in (_SIZE, _MEAN, _STD, _FIRST)]
  for flag, needed in pairs:
    if flag.present and not needed.value:
      raise ConfigError(f"--{flag.name} is set, which needs --{needed.name}")
  if _LOGITS.value and _EXPORT.value:
    raise ConfigError(f"--{_LOGITS.name} and --{_EXPORT.name} are set, must be one of them")


def _imported() -> foreign.Imported:
  logits = foreign.read_logits(_LOGITS.value, "--import_logits")
  clean = foreign.read_logits(_CLEAN.value, "--import_clean") if _CLEAN.value else None
  names: list[str] = []
  if _CLASSES.value:
    with explained(FileError, f"--{_CLASSES.name} is {_CLASSES.value!r}", (OSError, ValueError)):
      names = pathlib.Path(_CLASSES.value).read_text().splitlines()
  return foreign.Imported(_NAME.value, logits if logits.ndim == 3 else logits[None], clean, names)


def main(_: list[str]) -> None:
  """Writes predictions, or views, as the flags say."""
  with cli.command():
    _check_flags()
    config = cli.config()
    validate(config)
    kept = prediction_files.Kept(_STORAGE.value, _TOP.value, _FEATURES.value)
    if _EXPORT.value:
      form = foreign.ViewForm(_SIZE.value, _numbers(_MEAN), _numbers(_STD), _FIRST.value)
      prediction_files.exported(config, _EXPORT.value, form)
    elif _LOGITS.value:
      prediction_files.imported(config, _imported(), _OUT.value, kept, _VIEWS.value)
    else:
      prediction_files.own(config, cli.WORKDIR.value, _OUT.value, kept)


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
