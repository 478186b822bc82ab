"""Kills table, tune and analyze at random times, and compares with runs that were left alone.

python -m tests.kills --kills=50 --workdir=/tmp/kills

Every result, every logged loss and every table of the reports must have the same bytes. A command
that ends before it is killed starts again in an empty workdir.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
CONFIG = "--config=configs/digits_isats.py:teacher=mlp,student=mlp"
SHORT = (
  "--config.seeds=0",
  "--config.teacher.epochs=1",
  "--config.student.epochs=0.5",
  "--config.run.checkpoint_every_steps=2",
)
# The recipes are for larger data sets, so this one is replaced.
TABLE = """
from absl import app
from configs import digits_isats
from jaxkd import cli, table
def recipe(dataset, arg, *, title, rows):
  config = digits_isats.get_config("teacher=mlp,student=mlp")
  config.title, config.rows, config.seeds = title, rows, (0,)
  config.teacher.epochs, config.student.epochs = 1.0, 0.5
  config.run.checkpoint_every_steps = 2
  return config
table.recipe = recipe
app.run(table.main, flags_parser=cli.parse)
"""
COMMANDS = {
  "table": ("-c", TABLE, "--dataset=cifar100", "--students=a,b", "--rows=kd,ats", "--seeds=1"),
  "tune": ("-m", "jaxkd.tune", CONFIG, *SHORT, "--config.rows=ats", "--grid=ats.tau1=2,4"),
  "analyze": (
    *("-m", "jaxkd.analyze", "--config=configs/analysis_digits.py", "--config.teacher.epochs=1"),
    "--config.run.checkpoint_every_steps=2",
  ),
}


def start(name: str, workdir: pathlib.Path) -> subprocess.Popen:
  """Starts a command, whose output is kept in a file."""
  log = workdir.with_suffix(".log").open("a")
  words = [sys.executable, *COMMANDS[name], f"--workdir={workdir}"]
  env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(workdir.parent / "cache")}
  return subprocess.Popen(words, cwd=ROOT, env=env, stdout=log, stderr=log)


def finish(name: str, workdir: pathlib.Path) -> float:
  """Runs a command to its end; returns the seconds that it took."""
  begin = time.monotonic()
  if status := start(name, workdir).wait():
    sys.exit(f"{name} ended with status {status}: see {workdir.with_suffix('.log')}")
  return time.monotonic() - begin


def contents(workdir: pathlib.Path) -> dict[str, object]:
  """Returns all that must be equal: results, metrics without their speed, and tables."""
  found: dict[str, object] = {}
  for path in sorted(workdir.rglob("*")):
    name = str(path.relative_to(workdir))
    if path.name == "metrics.jsonl":
      lines = map(json.loads, path.read_text().splitlines())
      found[name] = [{**line, "images_per_second": None} for line in lines]
    elif path.suffix == ".csv" or path.name in ("result.json", "config.json"):
      found[name] = path.read_bytes()
  return found


def disturbed(name: str, workdir: pathlib.Path, kills: int, seconds: float) -> None:
  """Kills a command some times, and lets it end."""
  while kills:
    process = start(name, workdir)
    try:
      process.wait(random.uniform(0, seconds))
      shutil.rmtree(workdir)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()
      kills -= 1
  finish(name, workdir)


def main() -> None:
  """Disturbs all commands, and prints what they have in the end."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--kills", type=int, default=50)
  parser.add_argument("--workdir", type=pathlib.Path, required=True)
  parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=[*COMMANDS])
  parser.add_argument("--seed", type=int, default=0)
  args = parser.parse_args()
  random.seed(args.seed)
  args.workdir.mkdir(parents=True)
  for index, name in enumerate(args.commands):
    kills = args.kills // len(args.commands) + (index < args.kills % len(args.commands))
    # Reports name their workdir, so all runs have the same.
    workdir = args.workdir / name
    finish(name, workdir)
    shutil.rmtree(workdir)
    # The second run has its compilations.
    seconds = finish(name, workdir)
    expected = contents(workdir)
    shutil.rmtree(workdir)
    disturbed(name, workdir, kills, seconds)
    found = contents(workdir)
    differing = [key for key in expected | found if expected.get(key) != found.get(key)]
    print(f"{name}: {kills} kills, {len(expected)} files, differing: {differing}", flush=True)
    if differing:
      sys.exit(1)


if __name__ == "__main__":
  main()
