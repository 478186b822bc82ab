"""Arrays to PNG files."""

import io

import numpy as np
from PIL import Image


def encode(image: np.ndarray) -> io.BytesIO:
  """Returns an image `[H, W]` or `[H, W, 1 or 3]`, uint8, as a PNG file."""
  if image.shape[-1] == 1:
    image = image[..., 0]
  file = io.BytesIO()
  Image.fromarray(image).save(file, "png")
  file.seek(0)
  return file
