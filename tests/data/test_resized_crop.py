"""The random-resized crop against Pillow's resampling, torchvision's boxes."""

import math
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jaxkd import data
from jaxkd.data import resized_crop


@pytest.mark.parametrize(
  "box", [(0, 0, 64, 64), (5, 9, 31, 17), (40, 3, 24, 60), (63, 0, 1, 9)]
)
def test_resampling_equals_pillows(box):
  image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  top, left, height, width = box
  cropped = Image.fromarray(image).crop((left, top, left + width, top + height))
  expected = cropped.resize((40, 40), Image.Resampling.BILINEAR)
  got = resized_crop.resize(jnp.asarray(image)[None], jnp.array([box]), 40)[0]
  assert got.dtype == jnp.uint8
  np.testing.assert_allclose(
    np.asarray(got, np.int32), np.asarray(expected, np.int32), atol=1
  )


def _reference_boxes(count, size, seed):
  """The algorithm of torchvision's RandomResizedCrop, one box at a time."""
  rng = random.Random(seed)
  boxes = []
  for _ in range(count):
    box = (0, 0, size, size)
    for _ in range(10):
      area = size * size * rng.uniform(0.08, 1)
      ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
      width = round(math.sqrt(area * ratio))
      height = round(math.sqrt(area / ratio))
      if 0 < width <= size and 0 < height <= size:
        top = rng.randint(0, size - height)
        left = rng.randint(0, size - width)
        box = (top, left, height, width)
        break
    boxes.append(box)
  return np.array(boxes)


def test_boxes_are_distributed_as_torchvisions():
  count, size = 20_000, 256
  got = np.asarray(resized_crop.random_boxes(jax.random.key(0), count, size))
  expected = _reference_boxes(count, size, seed=0)
  top, left, height, width = got.T
  assert np.all(top >= 0)
  assert np.all(left >= 0)
  assert np.all(top + height <= size)
  assert np.all(left + width <= size)
  for statistic in (
    lambda box: box[:, 0],
    lambda box: box[:, 1],
    lambda box: box[:, 2] * box[:, 3],
    lambda box: box[:, 3] / box[:, 2],
    lambda box: box[:, 0] - box[:, 1],
  ):
    test = stats.ks_2samp(statistic(got), statistic(expected))
    assert test.pvalue > 1e-3


def test_views_for_training_and_evaluation():
  spec = data.SPECS["cub"]
  image = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
  images = jnp.stack([jnp.asarray(image)] * 3)
  views = data.augment(images, spec, jax.random.key(0))
  assert views.shape == (3, 224, 224, 3)
  assert len({np.asarray(view).tobytes() for view in views}) == 3
  np.testing.assert_array_equal(
    views, data.augment(images, spec, jax.random.key(0))
  )
  middle = data.center_crop(images, spec)
  np.testing.assert_array_equal(middle[0], image[16:240, 16:240])
  small = jnp.zeros((2, 32, 32, 3), jnp.uint8)
  assert data.center_crop(small, data.SPECS["cifar10"]).shape == small.shape
