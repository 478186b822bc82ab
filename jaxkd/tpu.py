"""Runs a command on all workers of a Cloud TPU pod, shows worker 0, and fetches the reports.

  ./launch.sh tpu pod-1 us-central2-b --create=v4-32 main --config=configs/cub_isats.py \
    --workdir=/mnt/shared/runs

It copies this checkout to each worker, and installs it there. `--workdir` must be a folder that all
workers have mounted, or gs://BUCKET/FOLDER. `--dry-run` prints the commands instead. The pod is not
deleted.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys
import tarfile
import tempfile

from jaxkd import __main__ as console
from jaxkd.common.arguments import HELP, Parser, split
from jaxkd.common.errors import end

ROOT = pathlib.Path(__file__).parents[1]
_FILES = ("launch.sh", "pyproject.toml", "README.md", "LICENSE", "jaxkd", "configs")
_ARCHIVE = "jaxkd.tar.gz"
_REPORTS = {"analyze": "analysis-*", "main": "report-*", "table": "table*", "tune": "tune-*"}
# The environment and the workdir of an earlier run stay.
_UNPACK = f"mkdir -p jaxkd && rm -rf jaxkd/jaxkd && tar -xzf {_ARCHIVE} -C jaxkd"
_NUMBER = (
  "$(curl -sf -H Metadata-Flavor:Google http://metadata.google.internal/computeMetadata/v1/"
  "instance/attributes/agent-worker-number || echo 0)"
)


def commands(options, command: list[str], archive: str) -> list[list[str]]:
  """Returns the calls of gcloud: create, copy, install, run, fetch."""
  pod, where = options.name, f"--zone={options.zone}"
  tpu = ["gcloud", "compute", "tpus", "tpu-vm"]

  def on_all(line: str) -> list[str]:
    return [*tpu, "ssh", pod, where, "--worker=all", f"--command={line}"]

  run = shlex.join(["./launch.sh", *command])
  # Of the other workers only the lines that begin with `jaxkd:` are shown.
  run = (
    f"cd jaxkd && if [ {_NUMBER} = 0 ]; then {run}; else {run} >../jaxkd.log 2>&1; "
    "status=$?; grep ^jaxkd: ../jaxkd.log >&2; exit $status; fi"
  )
  workdir = _workdir(command)
  fetch = []
  if reports := _REPORTS.get(command[0]):
    if "://" in workdir:
      fetch = [["gcloud", "storage", "cp", "--recursive", f"{workdir}/{reports}", options.out]]
    else:
      # A relative folder is in the copy of the checkout.
      source = f"{pod}:{pathlib.PurePosixPath('jaxkd', workdir, reports)}"
      fetch = [[*tpu, "scp", "--recurse", source, options.out, where, "--worker=0"]]
  extras = "tpu,bucket" if "://" in workdir else "tpu"
  create = [*tpu, "create", pod, where, f"--accelerator-type={options.create}"]
  return [
    *([[*create, f"--version={options.version}"]] if options.create else []),
    [*tpu, "scp", archive, f"{pod}:{_ARCHIVE}", where, "--worker=all"],
    on_all(f"{_UNPACK} && JAXKD_EXTRAS={extras} jaxkd/launch.sh setup"),
    on_all(run),
    *fetch,
  ]


def _workdir(command: list[str]) -> str:
  """Returns the store of a command, by default `runs`."""
  parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
  parser.add_argument("--workdir", default="runs")
  return parser.parse_known_args(command)[0].workdir.rstrip("/")


def main() -> None:
  """Runs the commands, or prints them."""
  parser = Parser(prog="./launch.sh tpu", description=__doc__)
  parser.add_argument("name", metavar="NAME", help="name of the pod")
  parser.add_argument("zone", metavar="ZONE", help="zone of the pod")
  parser.add_argument("--create", metavar="TYPE", help="create the pod with this accelerator type")
  parser.add_argument("--version", default="tpu-ubuntu2204-base", help="image of a created pod")
  parser.add_argument("--out", default="runs", help="local folder for the reports")
  parser.add_argument("--dry-run", action="store_true", help="print the commands")
  if HELP.intersection(sys.argv[1:2]):
    parser.print_help()
    return
  if not (ROOT / "launch.sh").exists():
    end("jaxkd tpu runs in a checkout of jaxkd: ./launch.sh tpu ...")
  own, command = split(sys.argv[1:], 2, console.commands())
  options = parser.parse_args(own)
  if options.dry_run:
    print(*map(shlex.join, commands(options, command, _ARCHIVE)), sep="\n")
    return
  pathlib.Path(options.out).mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory() as folder:
    archive = f"{folder}/{_ARCHIVE}"
    with tarfile.open(archive, "w:gz") as file:
      for name in _FILES:
        file.add(ROOT / name, name, filter=_without_caches)
    for words in commands(options, command, archive):
      try:
        status = subprocess.run(words, check=False).returncode
      except FileNotFoundError:
        end("there is no gcloud on the PATH: install the Google Cloud CLI")
      if status:
        print(f"jaxkd: status {status} of {shlex.join(words[:6])}", file=sys.stderr)
        sys.exit(status)


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
  return None if "__pycache__" in member.name else member


if __name__ == "__main__":
  main()
