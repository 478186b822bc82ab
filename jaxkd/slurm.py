"""Submits a SLURM job that saves before its time limit, and is requeued until it is finished.

  ./launch.sh slurm --nodes=2 --ntasks-per-node=8 --gpus-per-node=8 --time=4:00:00 \
    main --config=configs/cub_isats.py --workdir=/shared/runs

Flags before the command are sbatch's; `--dry-run` prints the job instead. Each task is a process of
the run, with one GPU. The workdir and this checkout must be on a file system that all nodes share.
"""

import pathlib
import shlex
import subprocess
import sys

from jaxkd import __main__ as console
from jaxkd.common.arguments import HELP, split
from jaxkd.common.errors import STOPPED, end

LAUNCH = pathlib.Path(__file__).parents[1] / "launch.sh"

_SCRIPT = """#!/bin/bash
#SBATCH --job-name=jaxkd
#SBATCH --requeue
#SBATCH --open-mode=append
# SIGTERM to all tasks two minutes before the time limit: they save and end with status {stopped}.
#SBATCH --signal=TERM@120
# Otherwise the first task that ends with {stopped} may have the others killed, with another status.
srun --kill-on-bad-exit=0 --wait=60 {command}
status=$?
if [ $status -eq {stopped} ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit $status
"""


def script(command: list[str]) -> str:
  """Returns the batch script that runs `./launch.sh` with a command."""
  return _SCRIPT.format(stopped=STOPPED, command=shlex.join([str(LAUNCH), *command]))


def main() -> None:
  """Submits the job, or prints it."""
  if HELP.intersection(sys.argv[1:2]):
    print(__doc__)
    return
  if not LAUNCH.exists():
    end("jaxkd slurm runs in a checkout of jaxkd: ./launch.sh slurm ...")
  options, command = split(sys.argv[1:], 0, console.commands())
  if "--dry-run" in options:
    options.remove("--dry-run")
    print(f"{shlex.join(['sbatch', *options])} <<'EOF'\n{script(command)}EOF")
    return
  try:
    done = subprocess.run(["sbatch", *options], input=script(command), text=True, check=False)
  except FileNotFoundError:
    end("there is no sbatch on the PATH: run this on a login node of the cluster")
  sys.exit(done.returncode)


if __name__ == "__main__":
  main()
