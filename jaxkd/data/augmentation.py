"""The augmentation that an experiment chooses, after the crop and the flip of its data set."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxkd.data import mixing, randaugment
from jaxkd.data.augment import areas_and_ratios, first_fitting
from jaxkd.data.specs import Spec

_ERASED = (0.02, 0.33)
_RATIO = (0.3, 3.3)


class Augmented(NamedTuple):
  """Augmented images `[B, H, W, channels]`, labels `[B]`, and shares of classes if they are mixed.

  The labels of mixed images are the classes of the larger shares; `soft_labels` are `[B, C]`.
  """

  pixels: jax.Array
  labels: jax.Array
  soft_labels: jax.Array | None = None


class Augmentation(NamedTuple):
  """The options of `config.data` that change training images; the defaults change none."""

  policy: str = ""
  policy_operations: int = 2
  policy_magnitude: int = 9
  erasing: float = 0.0
  mixup: float = 0.0
  cutmix: float = 0.0

  @classmethod
  def of(cls, options: Mapping[str, Any]) -> "Augmentation":
    """Returns the augmentation of the options, of which some may be missing."""
    return cls(**{name: options[name] for name in cls._fields if name in options})

  def used(self) -> dict[str, Any]:
    """Returns the options that make a difference.

    Examples:
      >>> Augmentation().used()
      {}
      >>> Augmentation(policy="trivialaugment", mixup=0.2).used()
      {'policy': 'trivialaugment', 'mixup': 0.2}
    """
    drawn = self.policy == "randaugment"
    return {
      name: value
      for name, value in self._asdict().items()
      if (drawn if name in ("policy_operations", "policy_magnitude") else value)
    }

  @property
  def mixes(self) -> bool:
    """Whether images and labels are mixed."""
    return bool(self.mixup or self.cutmix)

  def __call__(self, pixels: jax.Array, labels: jax.Array, spec: Spec, key: jax.Array) -> Augmented:
    """Changes the images of a batch; `key` is that of `data.augment`, which draws other numbers."""
    if self.policy:
      pixels = randaugment.augment(
        pixels,
        jax.random.fold_in(key, 2),
        policy=self.policy,
        operations=self.policy_operations,
        magnitude=self.policy_magnitude,
      )
    if self.erasing:
      pixels = erase(pixels, jax.random.fold_in(key, 3), self.erasing, spec.mean)
    if not self.mixes:
      return Augmented(pixels, labels)
    return Augmented(
      *mixing.mix(
        pixels,
        labels,
        jax.random.fold_in(key, 4),
        mixup=self.mixup,
        cutmix=self.cutmix,
        num_classes=spec.num_classes,
      )
    )


UNCHANGED = Augmentation()
"""No augmentation beside that of the data set."""


def erase(
  images: jax.Array, key: jax.Array, probability: float, mean: tuple[float, ...]
) -> jax.Array:
  """Gives a random box of some images the colour `mean`, which is 0 once images are normalised.

  Random erasing (Zhong et al., 2020) as torchvision has it: a box has a uniform share of the area
  from 0.02 to 0.33, and a log-uniform aspect ratio from 0.3 to 3.3. Ten are drawn, and the first
  that fits is taken. The result is float32.
  """
  chosen_key, area_key, ratio_key, corner_key = jax.random.split(key, 4)
  count, height, width = images.shape[:3]
  sizes = jnp.tile(jnp.array([[height, width]]), (count, 1))
  area, ratio = areas_and_ratios(area_key, ratio_key, sizes, _ERASED, _RATIO)
  sides = jnp.stack([jnp.sqrt(area * ratio), jnp.sqrt(area / ratio)], axis=-1)
  sides = jnp.round(sides).astype(jnp.int32)
  fits = jnp.all(sides < sizes[:, None], axis=-1)
  corners, sides = jnp.split(first_fitting(corner_key, sides, fits, sizes), 2, axis=1)
  rows, columns = jnp.arange(height)[None], jnp.arange(width)[None]
  down = (rows >= corners[:, :1]) & (rows < corners[:, :1] + sides[:, :1])
  across = (columns >= corners[:, 1:]) & (columns < corners[:, 1:] + sides[:, 1:])
  erased = jax.random.bernoulli(chosen_key, probability, (count,)) & jnp.any(fits, axis=1)
  box = down[:, :, None, None] & across[:, None, :, None] & erased[:, None, None, None]
  colour = 255 * jnp.asarray(mean, jnp.float32).reshape(1, 1, 1, -1)
  return jnp.where(box, colour, images.astype(jnp.float32))
