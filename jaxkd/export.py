"""Writes a trained network for use elsewhere, and a model card beside it.

  python -m jaxkd.export runs/cifar100-resnet20-cross_entropy-... OUT.safetensors

The suffix of OUT chooses the form:

  .safetensors   weights for PyTorch, under the names of the network's reference
  .stablehlo     a program for JAX, from pixels to logits (extra stablehlo)
  .onnx          a program for ONNX runtimes, from pixels to logits (extra onnx)

An earlier export of the same name is replaced, and its model card. Other files are not: choose
another name.

The file has the class names, input size, normalisation, crop and origin of the network. It takes
the newest checkpoint of a phase, whether or not the phase is finished; `--step=N` takes the
checkpoint of a step.
"""

import pathlib
from collections.abc import Sequence

from jaxkd.common.arguments import Parser
from jaxkd.common.errors import UserError, end
from jaxkd.common.files import write_together
from jaxkd.reports import card
from jaxkd.runs import exporting
from jaxkd.runs.store import PhaseFolder


def main(argv: Sequence[str] | None = None) -> None:
  """Exports a checkpoint of a phase, whether or not it is finished."""
  parser = Parser(prog="python -m jaxkd.export", description=__doc__)
  parser.add_argument("phase", help="folder of a phase")
  parser.add_argument("out", help=f"file that ends with {', '.join(exporting.SUFFIXES)}")
  parser.add_argument("--step", type=int, help="step of the checkpoint (default: the newest)")
  parser.add_argument(
    "--licence", default=card.UNKNOWN, help="licence in the model card (default: %(default)s)"
  )
  flags = parser.parse_args(argv)
  try:
    exporting.check_output(flags.out)
    place = card.place(flags.out)
    folder = PhaseFolder.open(flags.phase, finished=False)
    alone = flags.out.endswith(".safetensors")
    about = exporting.describe(folder, flags.step, weights_alone=alone)
    known = about["provenance"]["accuracy"] is not None
    evaluation = folder.evaluation() if known else None
    text = card.text(pathlib.Path(flags.out), about, evaluation, flags.licence)
    write_together({place: text, **exporting.contents(folder, flags.out, flags.step, about)})
  except (UserError, OSError) as error:
    end(error)
  print(f"Written: {flags.out}, and the model card {place}")


if __name__ == "__main__":
  main()
