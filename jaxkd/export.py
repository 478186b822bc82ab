"""Writes a trained network for PyTorch, under its reference's names.

python -m jaxkd.export runs/cifar100-resnet20-cross_entropy-... OUT.safetensors

It takes the newest checkpoint of a phase, whether or not the phase is finished; `--step=N` takes
the checkpoint of a step.
"""

from collections.abc import Sequence

from flax import nnx

from jaxkd.common.arguments import Parser
from jaxkd.common.errors import UserError, end
from jaxkd.models import weights
from jaxkd.runs import planning, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding


def main(argv: Sequence[str] | None = None) -> None:
  """Exports a checkpoint of a phase, whether or not it is finished."""
  parser = Parser(prog="python -m jaxkd.export", description=__doc__)
  parser.add_argument("phase", help="folder of a phase")
  parser.add_argument("out", help=".safetensors file")
  parser.add_argument("--step", type=int, help="step of the checkpoint (default: the newest)")
  flags = parser.parse_args(argv)
  try:
    weights.check_output(flags.out)
    folder = PhaseFolder.open(flags.phase, finished=False)
    model = planning.network(folder.phase)
    _, trained = teachers.load_network(folder, sharding.mesh(), flags.step)
    nnx.update(model, *trained)
    weights.write(flags.out, weights.to_torch(model))
  except (UserError, OSError) as error:
    end(error)


if __name__ == "__main__":
  main()
