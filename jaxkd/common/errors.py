"""User-correctable errors, shown as one line."""


class UserError(Exception):
  """A mistake that a user can correct; commands print its one line and exit with status 2."""


class FileError(UserError):
  """A file can't be read or written; the message names it."""


class ConfigError(UserError):
  """An option is wrong; the message names it."""
