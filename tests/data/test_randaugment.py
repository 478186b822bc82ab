"""The operations of RandAugment are Pillow's, the magnitudes are torchvision's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from jaxkd.data import randaugment
from jaxkd.data.randaugment import OPERATIONS

HEIGHT, WIDTH = 20, 26
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(20, 220, (HEIGHT, WIDTH, 3)).astype(np.uint8)
GREY = COLOUR[..., :1]
LEVELS = {
  "shear_x": (0.3, -0.45),
  "shear_y": (0.3, -0.45),
  "translate_x": (3.0, -4.0),
  "translate_y": (3.0, -4.0),
  "rotate": (17.0, -75.0, 135.0),
  "brightness": (0.4, 1.7),
  "color": (0.4, 1.7),
  "contrast": (0.4, 1.7),
  "sharpness": (0.4, 1.7),
  "posterize": (4.0, 7.0),
  "solarize": (0.0, 127.5, 255.0),
  "autocontrast": (0.0,),
  "equalize": (0.0,),
  "identity": (0.0,),
}
ENHANCED = {
  "brightness": ImageEnhance.Brightness,
  "color": ImageEnhance.Color,
  "contrast": ImageEnhance.Contrast,
  "sharpness": ImageEnhance.Sharpness,
}


def with_pillow(pixels, name, level):
  image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)

  def affine(*coefficients):
    return image.transform(image.size, Image.Transform.AFFINE, coefficients)

  changed = {
    "shear_x": lambda: affine(1, level, 0, 0, 1, 0),
    "shear_y": lambda: affine(1, 0, 0, level, 1, 0),
    "translate_x": lambda: affine(1, 0, -level, 0, 1, 0),
    "translate_y": lambda: affine(1, 0, 0, 0, 1, -level),
    "rotate": lambda: image.rotate(level),
    "posterize": lambda: ImageOps.posterize(image, int(level)),
    "solarize": lambda: ImageOps.solarize(image, level),
    "autocontrast": lambda: ImageOps.autocontrast(image),
    "equalize": lambda: ImageOps.equalize(image),
    "identity": lambda: image,
    **{key: lambda key=key: ENHANCED[key](image).enhance(level) for key in ENHANCED},
  }[name]()
  return np.asarray(changed).reshape(pixels.shape)


operate = jax.jit(randaugment.operate)


@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_every_operation_equals_pillows(pixels):
  for kind, name in enumerate(OPERATIONS):
    for level in LEVELS[name]:
      found = operate(pixels, jnp.int32(kind), jnp.float32(level))
      assert found.dtype == np.uint8
      difference = np.abs(found.astype(int) - with_pillow(pixels, name, level).astype(int))
      # Pillow rounds down products of floats.
      assert difference.max() <= 1, (name, level)
      assert np.mean(difference > 0) < 0.02, (name, level)


def test_an_image_of_one_value_stays_as_it_is_where_contrast_has_no_meaning():
  flat = np.full((4, 5, 3), 77, np.uint8)
  for name in ("autocontrast", "equalize"):
    kind = jnp.int32(OPERATIONS.index(name))
    np.testing.assert_array_equal(operate(flat, kind, jnp.float32(0)), flat)


def torchvision_levels(policy, index):
  """The levels of an operation at a magnitude, as torchvision's source defines them."""
  shear, pixels, degrees, change, bits = {
    "randaugment": (0.3, (150 / 331 * WIDTH, 150 / 331 * HEIGHT), 30.0, 0.9, 4),
    "trivialaugment": (0.99, (32.0, 32.0), 135.0, 0.99, 6),
  }[policy]

  def at(last, first=0.0):
    return np.linspace(first, last, 31)[index]

  signed = {"shear_x": at(shear), "shear_y": at(shear), "rotate": at(degrees)}
  signed |= {"translate_x": int(at(pixels[0])), "translate_y": int(at(pixels[1]))}
  levels = {name: (value, -value) for name, value in signed.items()}
  levels |= {name: (1 + at(change), 1 - at(change)) for name in ENHANCED}
  levels["posterize"] = (8 - round(index / (30 / bits)),)
  levels["solarize"] = (at(0.0, 255.0),)
  return levels | dict.fromkeys(("autocontrast", "equalize", "identity"), (0.0,))


@functools.cache
def possible(policy, index):
  found = {}
  for name, levels in torchvision_levels(policy, index).items():
    for level in levels:
      found[name, level] = with_pillow(COLOUR, name, level).astype(int)
  return found


@pytest.mark.parametrize(
  ("policy", "magnitudes"), [("randaugment", [9]), ("trivialaugment", range(31))]
)
def test_a_policy_draws_every_operation_at_torchvisions_magnitudes(policy, magnitudes):
  images = jnp.broadcast_to(COLOUR, (400, *COLOUR.shape))
  augment = jax.jit(
    functools.partial(randaugment.augment, policy=policy, operations=1, magnitude=9)
  )
  changed = np.asarray(augment(images, jax.random.key(0))).astype(int)
  expected = {
    (*key, index): x for index in magnitudes for key, x in possible(policy, index).items()
  }
  keys, values = list(expected), np.stack(list(expected.values()))
  # A rotation may take another pixel where two are equally near.
  near = [np.mean(np.abs(values - image) > 1, axis=(1, 2, 3)) for image in changed]
  assert max(distances.min() for distances in near) < 0.02
  drawn = {keys[distances.argmin()][0] for distances in near}
  assert drawn | {"identity"} == set(OPERATIONS)


def test_operations_follow_each_other():
  images = jnp.broadcast_to(COLOUR, (4, *COLOUR.shape))
  once = functools.partial(randaugment.augment, policy="randaugment", magnitude=9)
  changed = [np.asarray(once(images, jax.random.key(1), operations=count)) for count in (1, 2)]
  assert changed[1].dtype == np.uint8
  assert not np.array_equal(*changed)
