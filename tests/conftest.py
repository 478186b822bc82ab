"""For every test: strict numerics, two host devices, one compilation cache; shared fixtures."""

import atexit
import contextlib
import gc
import importlib.metadata
import math
import os
import pathlib
import resource
import shutil
import signal
import sys
import tempfile

# Tests start Python as a user does, without the variables that launch.sh sets, and with compiled
# modules.
os.environ.pop("PYTHONSAFEPATH", None)
os.environ.pop("JAXKD_LAUNCHER", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Read when JAX is imported. Subprocesses of tests inherit it.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Most programs of the tests take more time to compile than to run. JAX 0.11 and later have no
# fusion emitters to turn off.
os.environ.setdefault(
  "XLA_FLAGS",
  "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
  "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_prefer_vector_width=128"
  + (
    " --xla_cpu_use_fusion_emitters=false"
    if importlib.metadata.version("jaxlib").startswith(("0.9.", "0.10."))
    else ""
  ),
)
# Workers and subprocesses share small programs, too: to read one takes half the time of compiling.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax
import pytest
from absl import flags

from jaxkd import cli
from jaxkd.reports import experiment as report
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import experiment

# These files import PyTorch or a server of buckets, which may be absent; tests that use them skip
# themselves.
collect_ignore = ["bucket_server.py", "benchmarks/conv.py", "benchmarks/data.py"]

# The files that take longest, which run first.
SLOW = (
  "test_every_method.py",
  "test_two_processes.py",
  "test_experiment.py",
  "test_resume.py",
  "test_models.py",
  "test_parity.py",
  "test_simkd.py",
  "test_analyze.py",
  "test_notebook.py",
  "test_cohorts.py",
  "test_predicted.py",
  "test_table.py",
  "test_timm.py",
  "test_today.py",
  "test_packaging.py",
  "test_checkpoint.py",
  "test_all_losses.py",
  "test_configs.py",
  "test_loaders.py",
  "test_mixed_labels.py",
  "test_benchmark.py",
  "test_deployment.py",
  "test_initial.py",
  "test_combined.py",
  "test_given.py",
  "test_experiment_report.py",
  "test_cluster.py",
)

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
  # A background job ignores these, and so would the processes that tests start and send them to. A
  # handler is not inherited, and makes no difference here.
  for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
      signal.signal(number, lambda *_: None)
  # Without pytest's cache (`-p no:cacheprovider`) compilations last as long as the tests.
  cache = config.cache.mkdir("jax-compilations") if hasattr(config, "cache") else _temporary()
  # Subprocesses of tests share the cache.
  os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
  jax.config.update("jax_compilation_cache_dir", str(cache))


def pytest_collection_modifyitems(items):
  # No worker is left with a slow file at the end.
  order = {name: place for place, name in enumerate(SLOW)}
  items.sort(key=lambda item: order.get(item.path.name, len(SLOW)))


def pytest_runtestloop():
  # JAX keeps many objects for each program. Fewer passes over them save a tenth of the time.
  gc.freeze()
  gc.set_threshold(50_000, 20, 50)


def _temporary():
  folder = tempfile.mkdtemp(prefix="jaxkd-compilations-")
  atexit.register(shutil.rmtree, folder, ignore_errors=True)
  return folder


@pytest.fixture(scope="module", autouse=True)
def forgotten_programs():
  """JAX forgets its programs after a file with which the worker has grown; they took 5 GB."""
  yield
  size = pathlib.Path("/proc/self/statm")
  pages = int(size.read_text().split()[1]) if size.exists() else math.inf
  if pages * resource.getpagesize() > 2 * 2**30:
    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session")
def make_tiny_config():
  """Returns a function that makes the config of `tiny_config`."""
  return _tiny_config


@pytest.fixture
def tiny_config():
  """A config of a few steps on digits, with a small teacher and a small student."""
  return _tiny_config()


def _tiny_config():
  config = jaxkd_config.default()
  config.title = "tiny"
  config.data.batch_size = 64
  for network in (config.teacher, config.small_teacher, config.student):
    network.name = "mlp"
    network.options = {"depth": 1, "width": 16}
    network.epochs = 0.5
  config.teacher.options = {"depth": 2, "width": 32}
  config.takd.assistants = ("mlp",)
  config.run.eval_every_epochs = 0.25
  config.run.checkpoint_every_steps = 6
  return config


@pytest.fixture(scope="session")
def run_experiment():
  """Returns a function that trains and reports a config, as `jaxkd.main` does."""

  def run(config, workdir):
    one = experiment.Experiment.of(config, workdir)
    failed = experiment.run([one])
    folder = report.write(one)
    for error in failed.values():
      raise error
    return folder

  return run


@pytest.fixture(scope="session")
def full_disk():
  """Returns a context in which no file can grow above a size, as on a full disk."""

  @contextlib.contextmanager
  def limited(size=0):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
      yield
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, before)

  return limited


@pytest.fixture(scope="session")
def command():
  """Returns a function that runs the `main` of a module with flags."""

  def run(main, *argv, **parsed):
    # ml_collections reads overrides from sys.argv.
    with pytest.MonkeyPatch.context() as patch, _flags_of_one_command(main.__module__):
      patch.setattr(sys, "argv", ["jaxkd", *argv])
      try:
        main(cli.parse(sys.argv, **parsed))
      finally:
        for name in list(flags.FLAGS):
          if name.startswith("config."):
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()

  return run


@contextlib.contextmanager
def _flags_of_one_command(module):
  """Hides the flags of the other commands: the process of a user has those of one command."""
  shown = ("jaxkd.cli", "jaxkd.timed", module)
  hidden = [
    (name, flag)
    for name, own in flags.FLAGS.flags_by_module_dict().items()
    if name.startswith("jaxkd.") and name not in shown
    for flag in own
  ]
  for _, flag in hidden:
    delattr(flags.FLAGS, flag.name)
  try:
    yield
  finally:
    for name, flag in hidden:
      flags.FLAGS[flag.name] = flag
      flags.FLAGS.register_flag_by_module(name, flag)
