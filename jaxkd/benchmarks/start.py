"""Times the first step: how long a user waits, with and without compilations of earlier runs."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from jaxkd.benchmarks import programs
from jaxkd.benchmarks.case import Case
from jaxkd.benchmarks.workload import Workload


def start(workload: Workload) -> Iterator[dict[str, Any]]:
  """Yields the seconds that a new process needs for its first step; the second run has a cache."""
  for case in workload.cases():
    with tempfile.TemporaryDirectory() as cache:
      for compilations in ("none", "of the first run"):
        begun = time.perf_counter()
        described = json.dumps(dataclasses.asdict(case))
        command = [sys.executable, "-m", "jaxkd.benchmarks.start", described]
        environment = os.environ | {
          "JAX_COMPILATION_CACHE_DIR": cache,
          "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        whole = time.perf_counter() - begun
        seconds = json.loads(done.stdout.splitlines()[-1])
        yield {
          "pair": case.pair,
          "dtype": case.dtype,
          "compilations in the cache": compilations,
          "first step after (s)": whole,
          "Python and imports (s)": whole - sum(seconds.values()),
          **{f"{name} (s)": value for name, value in seconds.items()},
        }


def _first_step(described: str) -> None:
  """Runs one step of a case, given as JSON, and prints the seconds of each part as JSON."""
  marks = [time.perf_counter()]
  program = programs.on_this_machine(Case(**json.loads(described)))
  marks.append(time.perf_counter())
  compiled = program.lowered.compile()
  marks.append(time.perf_counter())
  programs.runner(program, compiled, 1)()
  marks.append(time.perf_counter())
  names = ("networks and tracing", "compilation", "first step")
  durations = (after - before for before, after in itertools.pairwise(marks))
  print(json.dumps(dict(zip(names, durations, strict=True))))


if __name__ == "__main__":
  _first_step(sys.argv[1])
