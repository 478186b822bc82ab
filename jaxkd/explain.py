"""Lists the options of a config: value, allowed values, meaning and source.

  python -m jaxkd.explain isats
  python -m jaxkd.explain --config=configs/cub_isats.py learning_rate

A word chooses the options of a section or method, or those that have it in their names or texts.
Without --config the values are the defaults. Each is a flag of the commands that take --config.
"""

import functools

from absl import app, flags

from jaxkd import cli
from jaxkd.analysis import plan
from jaxkd.common.arguments import show
from jaxkd.runs import listing
from jaxkd.runs.config import default

flags.adopt_module_key_flags(cli)
_parse = functools.partial(cli.parse, words=True)


def main(argv: list[str]) -> None:
  """Lists the options that the words choose."""
  with cli.command():
    config = default() if cli.CONFIG.value is None else cli.config()
    found = listing.options(config, plan.add_teachers)
    for word in argv[1:]:
      found = listing.matching(found, word)
    show(listing.as_text(found))


if __name__ == "__main__":
  app.run(main, flags_parser=_parse)
