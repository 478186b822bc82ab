"""A small folder of photographs with messy names, for tests and for the pages that tests run."""

import dataclasses

import numpy as np
from PIL import Image

from jaxkd.data import specs

CLASSES = ("Käfer (2019)", "fly", "moth's wing")
NAMES = ("IMG_0001.JPG", "photo (copy).jpg", "été.png", "sub folder/a b.jpeg", "x..png", "Ω.webp")


SIZE, RESIZED = 32, 36
"""Sides of the images in tests, instead of 224 and 256."""


def shrink(patch):
  """Makes the images of folders small, for small networks."""
  photos = specs.folder

  def small(num_classes):
    return dataclasses.replace(photos(num_classes), image_size=SIZE, resize=RESIZED)

  patch.setattr(specs, "folder", small)


def write(folder, *, train=6, test=5, size=20):
  """Writes images `train/<class>/...` and `test/<class>/...`; colours overlap between classes."""
  random = np.random.default_rng(0)
  for split, count in (("train", train), ("test", test)):
    for label, name in enumerate(CLASSES):
      for number in range(count):
        file = folder / split / name / NAMES[number]
        file.parent.mkdir(parents=True, exist_ok=True)
        colour = 60 * np.eye(3)[label] + random.uniform(60, 140, 3)
        pixels = random.normal(colour, 25, (size + number, size + 3 * label, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file)
  (folder / "train" / CLASSES[0] / "Thumbs.db").write_text("no image")
  return folder
