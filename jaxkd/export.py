"""Writes a trained network for PyTorch, under its reference's names.

python -m jaxkd.export runs/cifar100-resnet20-cross_entropy-... OUT.safetensors
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
  """Exports the newest checkpoint of a finished phase."""
  parser = argparse.ArgumentParser(prog="python -m jaxkd.export")
  parser.add_argument("phase", help="folder of a finished phase")
  parser.add_argument("out", help=".safetensors file")
  flags = parser.parse_args(argv)
  try:
    entry = Entry.open(flags.phase)
    spec = methods.spec_of(entry.phase)
    model = methods.network(entry.phase, spec)
    nnx.update(model, *load_network(entry, spec, sharding.mesh())[1])
    convert.write(flags.out, convert.to_torch(model))
  except (CheckpointError, OSError, StoreError, data.DataError) as error:
    sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
  main()
