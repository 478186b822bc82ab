"""Measures speed and memory of jaxkd, beside PyTorch doing the same work.

  python -m jaxkd.benchmark                              all parts but compile
  python -m jaxkd.benchmark step cohort --networks=resnet20:resnet8 --batch=64
  python -m jaxkd.benchmark column --dtypes=bfloat16     hours of a column of the paper's Table 2
  python -m jaxkd.benchmark compile --topology=v5e:2x4   for accelerators that are not there

Parts: step (of training), cohort (several students in a step), loss, growth (as batch, classes,
students, images or devices double), start (seconds to the first step), column, compile. PyTorch is
measured where it is installed, and --pytorch= leaves it out. Times are steadier on an idle machine.
"""

import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import jax
from absl import app, flags

from jaxkd import cli, models
from jaxkd.benchmarks import report
from jaxkd.benchmarks.column import column
from jaxkd.benchmarks.growth import growth
from jaxkd.benchmarks.losses import loss
from jaxkd.benchmarks.start import start
from jaxkd.benchmarks.steps import cohort, step
from jaxkd.benchmarks.topology import compilation
from jaxkd.benchmarks.workload import DEFAULT_PAIRS, Workload
from jaxkd.common.buckets import located
from jaxkd.common.console import tell
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import make_folder
from jaxkd.common.shell import install
from jaxkd.common.spelling import nearest
from jaxkd.data import SPECS
from jaxkd.training.loop import LOOP_STEPS
from jaxkd.training.step import groups_fit

flags.adopt_module_key_flags(cli)
_PAIRS = flags.DEFINE_list(
  "networks",
  [":".join(pair) for pair in DEFAULT_PAIRS],
  "teachers and students, TEACHER:STUDENT; STUDENT alone learns from labels",
)
_DTYPES = flags.DEFINE_list("dtypes", ["float32"], "dtypes that the networks compute in")
_BATCHES = flags.DEFINE_list("batch", ["128"], "images in a step")
_DATASET = flags.DEFINE_string("images", "cifar100", "data set whose form the images have")
_STEPS = flags.DEFINE_integer(
  "steps", None, "steps of a timed call; by default 1 on CPUs, 50 elsewhere", 1
)
_REPEATS = flags.DEFINE_integer("repeats", 5, "timed calls of each function", 1)
_PYTORCH = flags.DEFINE_list(
  "pytorch",
  None,
  "forms of PyTorch's loop: eager, channels_last, compiled; by default the first two, if it is "
  "installed",
)
_DETERMINISTIC = flags.DEFINE_bool("deterministic", True, "the option run.deterministic")
_GROUPS = flags.DEFINE_integer("batch_norm_groups", 1, "the option optim.batch_norm_groups", 1)
_TOPOLOGY = flags.DEFINE_string("topology", None, "of compile: h100, or a TPU's as v5e:2x4")

_LARGEST_BATCH = 2**16
_PARTS: dict[str, Callable[[Workload], Iterator[dict[str, Any]]]] = {
  "step": step,
  "cohort": cohort,
  "loss": loss,
  "growth": growth,
  "start": start,
  "column": column,
}
_parse = functools.partial(cli.parse, words=True)


def main(argv: list[str]) -> None:
  """Measures the parts that the words name, and reports them."""
  if "compile" in argv[1:]:
    # The wheels of the accelerator must not look for it on this machine.
    jax.config.update("jax_platforms", "cpu")
  with cli.command():
    if cli.CONFIG.value is not None:
      raise ConfigError("--config is given; the benchmark has its own data and takes --networks")
    parts = dict(_PARTS)
    if _TOPOLOGY.value:
      parts["compile"] = functools.partial(compilation, topology=_TOPOLOGY.value)
    names = argv[1:] or [*_PARTS]
    if "compile" in names and len(names) > 1:
      raise ConfigError(f"the parts are {' '.join(names)}, but compile must be the only part")
    workload = _workload()
    for name in names:
      if name == "compile" and not _TOPOLOGY.value:
        raise ConfigError("--topology is missing: compile needs h100, or a TPU's as v5e:2x4")
      if name not in parts:
        raise ConfigError(f"the part is {name!r}, must be {nearest(name, [*_PARTS, 'compile'])}")
    if _TOPOLOGY.value and "compile" not in names:
      raise ConfigError(f"--topology is {_TOPOLOGY.value!r}, but only the part compile takes it")
    folder = report.folder(located(cli.WORKDIR.value))
    # What can't be written is said before anything is measured.
    make_folder(folder)
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in names:
      tables[name] = []
      for line in parts[name](workload):
        tables[name].append(line)
        tell(f"[{name}] " + ", ".join(f"{key} {report.text(value)}" for key, value in line.items()))
    if jax.process_index() == 0:
      report.write(tables, folder)
      cli.print_report(folder)


def _workload() -> Workload:
  """Returns the workload that the flags describe."""
  for name, values in (("networks", _PAIRS), ("dtypes", _DTYPES), ("batch", _BATCHES)):
    if not values.value:
      raise ConfigError(f"--{name} is empty, must have one value or more")
  pairs: list[tuple[str | None, str]] = []
  for text in _PAIRS.value:
    teacher, colon, student = text.rpartition(":")
    for name in (teacher, student) if colon else (student,):
      if name not in models.list_models():
        raise ConfigError(f"--networks has {name!r}, must be {nearest(name, models.list_models())}")
    pairs.append((teacher or None, student))
  for dtype in _DTYPES.value:
    if dtype not in ("float32", "bfloat16"):
      raise ConfigError(f"--dtypes has {dtype!r}, must be float32 or bfloat16")
  for size in _BATCHES.value:
    count = jax.device_count()
    if not size.isdecimal() or int(size) % count or not 0 < int(size) <= _LARGEST_BATCH:
      each = f"a multiple of {count}, the number of devices" if count > 1 else "an integer"
      raise ConfigError(f"--batch has {size!r}, must be {each}, from {count} to {_LARGEST_BATCH:,}")
    groups = _GROUPS.value
    if not groups_fit(int(size), groups):
      wanted = f"a divisor of {size}, the images of --batch, and less"
      raise ConfigError(f"--batch_norm_groups is {groups}, must be {wanted}")
  coloured = [name for name, spec in SPECS.items() if spec.channels == 3 and spec.num_classes]
  if _DATASET.value not in coloured:
    known = nearest(_DATASET.value, coloured)
    raise ConfigError(f"--images is {_DATASET.value!r}, must be {known}")
  installed = importlib.util.find_spec("torch") is not None
  forms = _PYTORCH.value
  if forms is None:
    forms = ["eager", "channels_last"] if installed else []
  for form in forms:
    if form not in ("eager", "channels_last", "compiled"):
      raise ConfigError(f"--pytorch has {form!r}, must be eager, channels_last or compiled")
  if forms and not installed:
    raise ConfigError(f"--pytorch needs PyTorch: {install('torch')}; --pytorch= leaves it out")
  return Workload(
    pairs=tuple(pairs),
    dtypes=tuple(_DTYPES.value),
    batch_sizes=tuple(map(int, _BATCHES.value)),
    dataset=_DATASET.value,
    steps=_STEPS.value or (1 if jax.default_backend() == "cpu" else LOOP_STEPS),
    repeats=_REPEATS.value,
    pytorch=tuple(forms),
    deterministic=_DETERMINISTIC.value,
    batch_norm_groups=_GROUPS.value,
  )


if __name__ == "__main__":
  app.run(main, flags_parser=_parse)
