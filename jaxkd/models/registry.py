"""What the families tell about their networks."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxkd.models.base import Network


class Reference(NamedTuple):
  """A setting whose parameter count is known.

  Attributes:
    num_classes: number of classes.
    image_size: height and width of the images.
    parameters: number of trainable parameters.
    in_channels: channels of the images.
  """

  num_classes: int
  image_size: int
  parameters: int
  in_channels: int = 3


class Form(NamedTuple):
  """A network as it is built for images from a certain size on.

  Attributes:
    network: the class; the keyword arguments that `settings` leaves open are
      the network's options.
    settings: the arguments that the network's name stands for.
    min_image_size: the smallest height and width of the images.
    reference: its setting in the literature.
  """

  network: type[Network]
  settings: Mapping[str, Any]
  min_image_size: int
  reference: Reference


class Architecture(NamedTuple):
  """A name that `create` knows.

  Attributes:
    family: the family's name, for tables.
    forms: by increasing image size; the last one that fits is used.
  """

  family: str
  forms: tuple[Form, ...]
