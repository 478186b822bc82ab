"""RandAugment and TrivialAugment, with torchvision's operations, on the device.

Images are `[H, W, channels]`, uint8. Pixels are Pillow's, but for rounding: torchvision uses these
operations of Pillow. Empty pixels are black.
"""

import functools

import jax
import jax.numpy as jnp

BINS = 31
"""Magnitudes are from 0 to `BINS` - 1."""

GEOMETRIC = ("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate")
SIGNED = (*GEOMETRIC[1:], "brightness", "color", "contrast", "sharpness")
OPERATIONS = (*SIGNED, "posterize", "solarize", "autocontrast", "equalize", "identity")
"""The operations, each as likely as the others."""

_LEVELS = {
  # Of the magnitude 30: shear, translation as share or in pixels, degrees, change of colours, bits.
  "randaugment": (0.3, 150 / 331, 30.0, 0.9, 4.0),
  "trivialaugment": (0.99, 32.0, 135.0, 0.99, 6.0),
}
POLICIES = tuple(_LEVELS)


def augment(
  images: jax.Array, key: jax.Array, *, policy: str, operations: int, magnitude: int
) -> jax.Array:
  """Changes images `[B, H, W, channels]` at random, each independently.

  `randaugment` (Cubuk et al., 2020) applies a number of operations of one magnitude, one after the
  other; `trivialaugment` (Müller and Hutter, 2021; there "wide") one of a random magnitude.
  """
  if policy == "trivialaugment":
    operations = 1
  shape = (len(images),)

  def apply(images, key):
    kind_key, sign_key, level_key = jax.random.split(key, 3)
    kinds = jax.random.randint(kind_key, shape, 0, len(OPERATIONS))
    signs = jax.random.rademacher(sign_key, shape, jnp.float32)
    magnitudes = jnp.full(shape, magnitude)
    if policy == "trivialaugment":
      magnitudes = jax.random.randint(level_key, shape, 0, BINS)
    change = jax.vmap(functools.partial(_apply, policy))
    return change(images, kinds, signs, magnitudes), None

  return jax.lax.scan(apply, images, jax.random.split(key, operations))[0]


def _apply(
  policy: str, image: jax.Array, kind: jax.Array, sign: jax.Array, magnitude: jax.Array
) -> jax.Array:
  """Applies one operation of `OPERATIONS`, by number."""
  share = magnitude / (BINS - 1)
  shear, translation, degrees, colours, bits = _LEVELS[policy]
  sizes = (1, 1) if policy == "trivialaugment" else image.shape[1::-1]
  across, down = (jnp.trunc(sign * share * (translation * size)) for size in sizes)
  levels = {
    **dict.fromkeys(("shear_x", "shear_y"), sign * share * shear),
    "translate_x": across,
    "translate_y": down,
    "rotate": sign * share * degrees,
    **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), 1 + sign * share * colours),
    "posterize": 8 - jnp.round(share * bits),
    "solarize": 255 * (1 - share),
  }
  level = jnp.stack([levels.get(name, jnp.zeros(())) for name in OPERATIONS])[kind]
  return operate(image, kind, level)


def operate(image: jax.Array, kind: jax.Array, level: jax.Array) -> jax.Array:
  """Applies an operation of `OPERATIONS`, by number, at a level.

  The level is the slope of a shear, a translation in pixels, counter-clockwise degrees, a factor
  of `PIL.ImageEnhance`, the bits to keep, or the first value to invert.
  """
  places = [GEOMETRIC.index(name) if name in GEOMETRIC else 0 for name in OPERATIONS]
  colours = [_COLOURS.get(name, lambda image, level: image) for name in OPERATIONS]
  moved = _affine(image, _coefficients(level, image.shape)[jnp.array(places)[kind]])
  # All colour operations are computed; under `vmap` a switch is a choice.
  return jax.lax.switch(kind, colours, moved, level)


def _coefficients(level: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """Returns a, ..., f of each of `GEOMETRIC`, `[6, 6]`.

  A new pixel at x, y is the old one at a x + b y + c, d x + e y + f.
  """
  zero, one = jnp.zeros(()), jnp.ones(())
  cosine, sine = jnp.cos(jnp.deg2rad(level)), jnp.sin(jnp.deg2rad(level))
  x, y = shape[1] / 2, shape[0] / 2
  across = x - cosine * x + sine * y
  down = y - sine * x - cosine * y
  return jnp.stack(
    [
      jnp.stack([one, zero, zero, zero, one, zero]),
      jnp.stack([one, level, zero, zero, one, zero]),
      jnp.stack([one, zero, zero, level, one, zero]),
      jnp.stack([one, zero, -level, zero, one, zero]),
      jnp.stack([one, zero, zero, zero, one, -level]),
      jnp.stack([cosine, -sine, across, sine, cosine, down]),
    ]
  )


def _affine(image: jax.Array, coefficients: jax.Array) -> jax.Array:
  """Returns the nearest old pixel for each new one, in Pillow's fixed-point numbers."""
  a, b, c, d, e, f = coefficients
  fixed = jnp.floor(jnp.stack([a, b, c + (a + b) / 2, d, e, f + (d + e) / 2]) * 65536 + 0.5)
  a, b, c, d, e, f = fixed.astype(jnp.int32)
  rows, columns = jnp.arange(image.shape[0])[:, None], jnp.arange(image.shape[1])[None]
  x, y = (a * columns + b * rows + c) >> 16, (d * columns + e * rows + f) >> 16
  inside = (x >= 0) & (x < image.shape[1]) & (y >= 0) & (y < image.shape[0])
  found = image[jnp.clip(y, 0, image.shape[0] - 1), jnp.clip(x, 0, image.shape[1] - 1)]
  return jnp.where(inside[..., None], found, 0)


def _blend(degenerate: jax.Array, image: jax.Array, factor: jax.Array) -> jax.Array:
  start = degenerate.astype(jnp.float32)
  return jnp.clip(start + factor * (image.astype(jnp.float32) - start), 0, 255).astype(jnp.uint8)


def _grey(image: jax.Array) -> jax.Array:
  """Returns the brightness `[H, W, 1]`, int32."""
  if image.shape[-1] != 3:
    return image.astype(jnp.int32)
  weights = jnp.array([[19595], [38470], [7471]])
  return (image.astype(jnp.int32) @ weights + 32768) >> 16


def _brightness(image: jax.Array, level: jax.Array) -> jax.Array:
  return _blend(jnp.zeros_like(image), image, level)


def _color(image: jax.Array, level: jax.Array) -> jax.Array:
  return _blend(_grey(image), image, level)


def _contrast(image: jax.Array, level: jax.Array) -> jax.Array:
  return _blend(jnp.floor(jnp.mean(_grey(image).astype(jnp.float32)) + 0.5), image, level)


def _sharpness(image: jax.Array, level: jax.Array) -> jax.Array:
  pixels = image.astype(jnp.int32)
  height, width = image.shape[0] - 2, image.shape[1] - 2
  total = 4 * pixels[1:-1, 1:-1]
  for row in range(3):
    for column in range(3):
      total += pixels[row : row + height, column : column + width]
  # The border stays as it is.
  smooth = pixels.at[1:-1, 1:-1].set((2 * total + 13) // 26)
  return _blend(smooth, image, level)


def _posterize(image: jax.Array, level: jax.Array) -> jax.Array:
  unused = 8 - level.astype(jnp.int32)
  return ((image.astype(jnp.int32) >> unused) << unused).astype(jnp.uint8)


def _solarize(image: jax.Array, level: jax.Array) -> jax.Array:
  return jnp.where(image.astype(jnp.float32) < level, image, 255 - image)


def _autocontrast(image: jax.Array, level: jax.Array) -> jax.Array:
  del level
  pixels = image.astype(jnp.int32)
  low, high = (f(pixels, axis=(0, 1), keepdims=True) for f in (jnp.min, jnp.max))
  stretched = (pixels - low) * 255 // jnp.maximum(high - low, 1)
  return jnp.where(high > low, stretched, pixels).astype(jnp.uint8)


def _equalize(image: jax.Array, level: jax.Array) -> jax.Array:
  del level

  def channel(pixels):
    # By sorting, since deterministic histograms are slow on GPUs.
    below = jnp.searchsorted(jnp.sort(pixels.reshape(-1)), jnp.arange(256))
    # How many pixels have less than the highest value.
    step = below[jnp.max(pixels)] // 255
    table = jnp.clip((step // 2 + below) // jnp.maximum(step, 1), 0, 255)
    return jnp.where(step > 0, table[pixels], pixels)

  pixels = image.astype(jnp.int32)
  return jax.vmap(channel, in_axes=2, out_axes=2)(pixels).astype(jnp.uint8)


_COLOURS = {
  "brightness": _brightness,
  "color": _color,
  "contrast": _contrast,
  "sharpness": _sharpness,
  "posterize": _posterize,
  "solarize": _solarize,
  "autocontrast": _autocontrast,
  "equalize": _equalize,
}
