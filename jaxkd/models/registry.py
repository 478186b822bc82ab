"""What the families tell about their networks."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxkd.models.base import Network


class Reference(NamedTuple):
  """A setting whose parameter count is published.

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


class Entry(NamedTuple):
  """A network that `create` knows.

  Attributes:
    family: the family's name, for tables.
    network: the class; its remaining keyword arguments are the options.
    settings: the arguments that the network's name stands for.
    min_image_size: the smallest height and width that the network can take.
    references: its reference settings; more than one where the image size
      chooses the form of the network.
  """

  family: str
  network: type[Network]
  settings: Mapping[str, Any]
  min_image_size: int
  references: tuple[Reference, ...]
