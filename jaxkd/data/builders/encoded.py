"""Images as files: what the builders write."""

import io

import numpy as np
from PIL import Image

from jaxkd.data.base import DataError


def png(image: np.ndarray) -> io.BytesIO:
  """Returns an image `[H, W]` or `[H, W, 1 or 3]`, uint8, as a PNG file."""
  if image.shape[-1] == 1:
    image = image[..., 0]
  file = io.BytesIO()
  Image.fromarray(image).save(file, "png")
  file.seek(0)
  return file


def checked(content: bytes, origin: str) -> io.BytesIO:
  """Returns an image's file once all of it has been decoded.

  Args:
    content: of the file.
    origin: where it is from, for the error.

  Raises:
    DataError: Pillow can't read it.
  """
  file = io.BytesIO(content)
  try:
    Image.open(file).load()
  except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
    raise DataError(f"{origin} is not a readable image: {e}") from e
  file.seek(0)
  return file
