"""Prepares a data set with TFDS, from downloads or from local archives.

With `--archives` nothing is downloaded: the folder must have all archives. Without it,
archives are downloaded where TFDS knows a source. An interrupted run starts over: a half-written
data set is never read.
"""

import logging

from jaxkd.common import signals
from jaxkd.common.arguments import Parser
from jaxkd.common.console import silence_tensorflow
from jaxkd.common.errors import end
from jaxkd.data import SPECS, DataError, preparation
from jaxkd.data.specs import DIGITS


def main() -> None:
  """Runs the command; an error is one line."""
  parser = Parser(prog="python -m jaxkd.prepare", description=__doc__)
  names = f"one of {', '.join(SPECS)}, or several of {', '.join(DIGITS)} with + in between"
  parser.add_argument("name", metavar="NAME", help=names)
  parser.add_argument("--data_dir", default="", help="the folder of TFDS's data")
  parser.add_argument("--archives", default="", help="folder of local archives")
  args = parser.parse_args()
  silence_tensorflow()
  # urllib3 logs each attempt to reach a server; the last failure is reported.
  logging.getLogger("urllib3").setLevel(logging.ERROR)
  try:
    with signals.exit_when_terminated():
      preparation.prepare(args.name, args.data_dir, args.archives)
  except DataError as error:
    end(error)


if __name__ == "__main__":
  main()
