"""Checks a file of weights against a network, and writes it as safetensors.

  python -m jaxkd.convert SRC.pth --model=resnet50 --out=OUT.safetensors

writes a file that `config.teacher.init_from` reads without PyTorch. The number of classes and the
form of the network, for CIFAR or for ImageNet, are those of the file.
"""

from collections.abc import Sequence

from flax import nnx

from jaxkd.common.arguments import Parser
from jaxkd.common.errors import UserError, end, explained
from jaxkd.models import weights


def main(argv: Sequence[str] | None = None) -> None:
  """Converts a file of weights."""
  parser = Parser(prog="python -m jaxkd.convert", description=__doc__)
  parser.add_argument("src", help="safetensors file or checkpoint of PyTorch")
  parser.add_argument("--model", required=True, help="name of the network")
  parser.add_argument("--out", required=True, help=".safetensors file")
  parser.add_argument(
    "--num_classes",
    type=int,
    help="number of classes; the classifier is random if the file has another number",
  )
  parser.add_argument(
    "--image_size", type=int, help="size for the form of CIFAR or of ImageNet (default: the file's)"
  )
  parser.add_argument("--in_channels", type=int, help="channels of images (default: 3, mlp: 1)")
  flags = parser.parse_args(argv)
  try:
    weights.check_output(flags.out)
    tensors = weights.read(flags.src)
    shape = {key: vars(flags)[key] for key in ("num_classes", "image_size", "in_channels")}
    with explained(UserError, f"--model is {flags.model!r}"):
      model = weights.network_of(flags.model, tensors, **shape)
    nnx.update(model, *weights.from_torch(model, tensors))
    weights.write(flags.out, weights.to_torch(model))
  except UserError as error:
    end(error)
  print(f"Written: {flags.out}, {flags.model}")


if __name__ == "__main__":
  main()
