"""Writes a trained network for PyTorch, under its reference's names.

python -m jaxkd.export runs/cifar100-resnet20-cross_entropy-... OUT.safetensors

takes the newest checkpoint of a phase that is finished or still trains, or with
`--step=N` the one of a step.
"""

import argparse
import sys
from collections.abc import Sequence

from flax import nnx

from jaxkd import convert, data, methods, sharding
from jaxkd.checkpoint import CheckpointError
from jaxkd.store import Entry, StoreError
from jaxkd.train import load_network


def main(argv: Sequence[str] | None = None) -> None:
  """Exports a checkpoint of a phase, whether or not it is finished."""
  parser = argparse.ArgumentParser(prog="python -m jaxkd.export")
  parser.add_argument("phase", help="folder of a phase")
  parser.add_argument("out", help=".safetensors file")
  parser.add_argument(
    "--step", type=int, help="step of the checkpoint (default: the newest)"
  )
  flags = parser.parse_args(argv)
  try:
    entry = Entry.open(flags.phase, finished=False)
    spec = methods.spec_of(entry.phase)
    model = methods.network(entry.phase, spec)
    _, trained = load_network(entry, spec, sharding.mesh(), flags.step)
    nnx.update(model, *trained)
    convert.write(flags.out, convert.to_torch(model))
  except (CheckpointError, OSError, StoreError, data.DataError) as error:
    sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
  main()
