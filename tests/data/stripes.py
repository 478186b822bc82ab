"""A data set of a few images, prepared by TFDS."""

import io

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from jaxkd import data

SPEC = data.Spec(
  name="stripes",
  num_classes=3,
  image_size=8,
  channels=3,
  mean=(0.5, 0.5, 0.5),
  std=(0.25, 0.25, 0.25),
  padding=1,
  flip=True,
  builder="stripes",
)

SIZES = {"train": 23, "test": 10}


def image(split, number):
  """Image `number` of a split of `Stripes`."""
  seed = (len(split), number)
  return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)


def encoded(array, file_format="png"):
  file = io.BytesIO()
  Image.fromarray(array).save(file, file_format)
  return file.getvalue()


class Stripes(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version("1.2.0")

  def _info(self):
    features = {
      "image": tfds.features.Image(shape=(8, 8, 3), encoding_format="png"),
      "label": tfds.features.ClassLabel(names=["a", "b", "c"]),
    }
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

  def _split_generators(self, dl_manager):
    return {split: self._generate_examples(split) for split in SIZES}

  def _generate_examples(self, split):
    for number in range(SIZES[split]):
      png = io.BytesIO(encoded(image(split, number)))
      yield number, {"image": png, "label": number % 3}
