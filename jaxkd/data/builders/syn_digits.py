"""Synthetic digits, rendered as in Ganin and Lempitsky (2015), for users without their archive.

An image has 32x32 pixels and one to three digits, rendered from fonts, with random position,
rotation, blur, colours and noise. The digit in the middle is the label. An image's seed is its
split and its number, so there is one data set, as if it had been published. It is the same on
every machine with the same versions of Pillow and Matplotlib, whose fonts are used.
"""

import pathlib
from collections.abc import Iterator

import matplotlib
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from jaxkd.data.builders import files

_SIZES = {"train": 25_000, "test": 9_000}  # as in Digits-Five
_STYLES = {
  "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
  "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
  "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
  "STIXGeneral": ("", "Bol", "Italic", "BolIta"),
}
_FONTS = tuple(f"{family}{style}.ttf" for family in _STYLES for style in _STYLES[family])
_SCALE = 2  # digits are drawn larger, for smooth edges


class SynDigits(tfds.core.GeneratorBasedBuilder):
  """Generated digits; each image is a function of its split and number."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self) -> tfds.core.DatasetInfo:
    return files.info(self, "https://arxiv.org/abs/1409.7495", (32, 32, 3), "png", 10)

  def _split_generators(self, dl_manager):
    return {split: self._generate_examples(split) for split in _SIZES}

  def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
    for number in range(_SIZES[split]):
      image = files.png(render(split, number))
      yield number, {"image": image, "label": number % 10}


def render(split: str, number: int) -> np.ndarray:
  """Draws an image of digit `number % 10`, `[32, 32, 3]`, uint8."""
  random = np.random.default_rng((list(_SIZES).index(split), number))
  while True:
    paper, ink = random.uniform(0, 255, (2, 3))
    if np.linalg.norm(paper - ink) > 100:
      break
  size = 32 * _SCALE

  digits = [str(digit) for digit in random.integers(0, 10, 3)]
  digits[1] = str(number % 10)
  file = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", random.choice(_FONTS))
  font = ImageFont.truetype(str(file), int(random.integers(20, 31)) * _SCALE)
  mask = Image.new("L", (size, size))
  draw = ImageDraw.Draw(mask)
  x, y = size / 2 + random.uniform(-3, 3, 2) * _SCALE
  widths = [draw.textlength(digit, font) for digit in digits]
  draw.text((x, y), digits[1], 255, font, anchor="mm")
  # Most numbers have neighbours on one side or both.
  if random.random() < 0.6:
    draw.text((x - widths[1] / 2, y), digits[0], 255, font, anchor="rm")
  if random.random() < 0.6:
    draw.text((x + widths[1] / 2, y), digits[2], 255, font, anchor="lm")
  mask = mask.rotate(random.uniform(-20, 20), Image.Resampling.BILINEAR)
  mask = mask.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5) * _SCALE))
  mask = mask.resize((32, 32), Image.Resampling.BOX)

  share = np.asarray(mask, np.float64)[..., None] / 255
  image = paper + share * (ink - paper)
  image += random.normal(0, random.uniform(0, 12), image.shape)
  return np.clip(np.round(image), 0, 255).astype(np.uint8)
