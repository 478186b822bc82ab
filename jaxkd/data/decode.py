"""Encoded images to arrays of one size."""

import io

import numpy as np
from PIL import Image

from jaxkd.data import base, specs


def image(
  encoded: bytes, spec: specs.Spec, origin: str, squashed: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
  """Decodes an image and brings it to the spec's size and channels.

  Where the spec says `resize`, the shorter side becomes that long (bilinear,
  antialiased) and the square in the middle is kept, as the references do it for
  evaluation. For training, which crops what the middle has not, the whole
  image is squashed into that square instead. Elsewhere images are squares by
  nature and are only resized if their size is another.

  Args:
    encoded: a file's content, in a format that Pillow reads.
    spec: the data set.
    origin: where the image is from, for the error.
    squashed: whether the whole image is squashed.

  Returns:
    The image, `[S, S, channels]`, uint8, with S `spec.stored_size`; if it is
    squashed the height and width that it would have otherwise, `[2]`, int32.

  Raises:
    DataError: Pillow can't read it.
  """
  try:
    with Image.open(io.BytesIO(encoded)) as file:
      picture = file.convert("L" if spec.channels == 1 else "RGB")
  except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
    raise base.DataError(f"{origin} is not a readable image: {e}") from e
  size = spec.stored_size
  # Sides and corner are rounded as torchvision rounds them.
  width, height = picture.size
  shorter = min(width, height)
  width, height = size * width // shorter, size * height // shorter
  if spec.resize and not squashed:
    left, top = round((width - size) / 2), round((height - size) / 2)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    picture = picture.crop((left, top, left + size, top + size))
  elif picture.size != (size, size):
    picture = picture.resize((size, size), Image.Resampling.BILINEAR)
  pixels = np.asarray(picture).reshape(size, size, spec.channels)
  return pixels, np.array((height, width), np.int32) if squashed else None
