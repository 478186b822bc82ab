"""The sentences on where the numbers of a report come from: data, options, command, versions."""

from collections.abc import Sequence

from flax import traverse_util
from ml_collections import ConfigDict

from jaxkd.common import provenance
from jaxkd.reports.document import Text
from jaxkd.runs.config import default
from jaxkd.runs.experiment import Experiment

# Options that determine no result, or that have a place of their own in a report.
_ELSEWHERE = ("title", "rows", "seeds", "run", "tuned", "data.data_dir")


def blocks(experiment: Experiment) -> list[Text]:
  """Returns the paragraphs on an experiment all of whose students have results."""
  about = [Text(data(experiment))]
  if changed := changes(experiment.config):
    about.append(Text(f"Options that differ from jaxkd's defaults: {', '.join(changed)}."))
  return [*about, *run()]


def run() -> list[Text]:
  """Returns the paragraphs on this process: its command, versions, date, hardware and time."""
  return [
    Text(f"Command: {provenance.command()}"),
    Text(
      f"{provenance.versions()}; {provenance.today()}, {provenance.hardware()}; this command ran "
      f"for {provenance.elapsed()}."
    ),
  ]


def data(experiment: Experiment) -> str:
  """Returns a sentence on the images of an experiment."""
  config, phase = experiment.config, experiment.students[0]
  result = experiment.folder(phase).result()
  train, evaluated = (result[split].get("examples") for split in ("train", phase.split))
  if not train:  # a result of an earlier version
    return f"Data: {config.data.name}."
  parts = []
  if config.data.validation:
    parts.append(f"{config.data.validation:.3g} of the training split is held out")
  if config.data.train_share < 1:
    parts.append(f"{config.data.train_share:.3g} of {'the rest' if parts else 'the split'}")
  shares = f" ({', '.join(parts)})" if parts else ""
  return (
    f"Data: {config.data.name}, {train:,} images to train on{shares}, {evaluated:,} in the "
    f"{phase.split} split: one image is {100 / evaluated:.2g} points of accuracy."
  )


def changes(config: ConfigDict) -> Sequence[str]:
  """Returns the options that differ from the defaults and determine results, as `option = value`.

  Examples:
    >>> config = default()
    >>> config.regt.beta = 0.001
    >>> changes(config)
    ['regt.beta = 0.001']
  """
  usual = traverse_util.flatten_dict(default().to_dict(), sep=".")
  own = traverse_util.flatten_dict(config.to_dict(), sep=".")
  return [
    f"{option} = {value!r}"
    for option, value in own.items()
    if value != usual.get(option)
    and not any(option == name or option.startswith(f"{name}.") for name in _ELSEWHERE)
  ]
