"""The random-resized crop against Pillow's resampling, torchvision's boxes."""

import dataclasses
import math
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jaxkd import data
from jaxkd.data.augment import random_boxes, resize, squash

_resize = jax.jit(resize, static_argnums=2)
_random_boxes = jax.jit(random_boxes)
_augment = jax.jit(data.augment, static_argnums=1)


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (5, 9, 31, 17), (40, 3, 24, 60), (63, 0, 1, 9)])
def test_resampling_equals_pillows(box):
  image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  top, left, height, width = box
  cropped = Image.fromarray(image).crop((left, top, left + width, top + height))
  expected = cropped.resize((40, 40), Image.Resampling.BILINEAR)
  boxes = jnp.array([box], jnp.float32)
  got = _resize(jnp.asarray(image)[None], boxes, 40)[0]
  assert got.dtype == jnp.uint8
  np.testing.assert_allclose(np.asarray(got, np.int32), np.asarray(expected, np.int32), atol=1)


def _reference_boxes(count, size, seed):
  """The algorithm of torchvision's RandomResizedCrop, one box at a time."""
  rng = random.Random(seed)
  boxes = []
  whole_height, whole_width = size
  for _ in range(count):
    for _ in range(10):
      area = whole_height * whole_width * rng.uniform(0.08, 1)
      ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
      width = round(math.sqrt(area * ratio))
      height = round(math.sqrt(area / ratio))
      if 0 < width <= whole_width and 0 < height <= whole_height:
        top = rng.randint(0, whole_height - height)
        left = rng.randint(0, whole_width - width)
        break
    else:
      height, width = size
      if whole_width / whole_height < 3 / 4:
        height = round(width / (3 / 4))
      elif whole_width / whole_height > 4 / 3:
        width = round(height * (4 / 3))
      top, left = (whole_height - height) // 2, (whole_width - width) // 2
    boxes.append((top, left, height, width))
  return np.array(boxes)


def _boxes(count, size):
  sizes = jnp.tile(jnp.array(size, jnp.int32), (count, 1))
  return np.asarray(_random_boxes(jax.random.key(0), sizes))


# Almost no box fits into the last size.
@pytest.mark.parametrize("size", [(256, 256), (256, 341), (511, 256), (64, 999)])
def test_boxes_have_the_distribution_of_torchvisions(size):
  count = 20_000
  got = _boxes(count, size)
  expected = _reference_boxes(count, size, seed=0)
  assert np.all(got[:, :2] >= 0)
  assert np.all(got[:, :2] + got[:, 2:] <= size)
  for statistic in (
    lambda box: box[:, 0],
    lambda box: box[:, 1],
    lambda box: box[:, 2] * box[:, 3],
    lambda box: box[:, 3] / box[:, 2],
    lambda box: box[:, 0] - box[:, 1],
  ):
    test = stats.ks_2samp(statistic(got), statistic(expected))
    assert test.pvalue > 1e-3


def test_boxes_reach_beyond_the_middle_square():
  _, left, height, width = _boxes(20_000, (256, 341)).T
  share = height * width / (256 * 341)
  np.testing.assert_allclose(share.mean(), 0.434, atol=0.005)
  assert share.max() > 0.99
  # The middle 256 columns are 42 to 297.
  assert np.mean((left < 42) | (left + width > 298)) > 0.5


def test_crops_of_a_squashed_image_equal_crops_of_the_original():
  """The reference is Pillow's crop of the image, which is smooth, with a shorter side of 256."""
  random = np.random.default_rng(0)
  small = random.integers(0, 256, (9, 13, 3), np.uint8)
  original = Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC)
  top, left, height, width = 40, 190, 150, 141
  expected = original.resize((341, 256), Image.Resampling.BILINEAR).resize(
    (224, 224), Image.Resampling.BILINEAR, (left, top, left + width, top + height)
  )
  squashed = original.resize((256, 256), Image.Resampling.BILINEAR)
  box = jnp.array([[top, left, height, width]], jnp.int32)
  boxes = squash(box, jnp.array([[256, 341]], jnp.int32), 256)
  got = _resize(jnp.asarray(squashed)[None], boxes, 224)[0]
  difference = np.asarray(got, np.int32) - np.asarray(expected, np.int32)
  assert np.mean(np.abs(difference)) < 1
  assert np.max(np.abs(difference)) < 8


def test_training_crops_are_random_and_evaluation_crops_centred():
  spec = dataclasses.replace(data.SPECS["cub"], resize=64, image_size=56)
  image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
  images = jnp.stack([jnp.asarray(image)] * 3)
  views = _augment(images, spec, jax.random.key(0))
  assert views.shape == (3, 56, 56, 3)
  assert len({np.asarray(view).tobytes() for view in views}) == 3
  np.testing.assert_array_equal(views, _augment(images, spec, jax.random.key(0)))
  middle = data.center_crop(images, spec)
  np.testing.assert_array_equal(middle[0], image[4:60, 4:60])
  small = jnp.zeros((2, 32, 32, 3), jnp.uint8)
  assert data.center_crop(small, data.SPECS["cifar10"]).shape == small.shape
