"""Mixup and CutMix: each image of a batch is mixed with its neighbour, on the device."""

import jax
import jax.numpy as jnp


def mix(
  images: jax.Array,
  labels: jax.Array,
  key: jax.Array,
  *,
  mixup: float,
  cutmix: float,
  num_classes: int,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Mixes each image and its label with the image before it in the batch, the first with the last.

  Mixup (Zhang et al., 2018) averages the pixels; CutMix (Yun et al., 2019) puts a box of the
  neighbour into the image. The images of a batch share the share, and the box. With both, each
  batch has one of them, with equal probability.

  Args:
    images: `[B, H, W, channels]`.
    labels: `[B]`.
    key: of this batch.
    mixup: parameter of the beta distribution of the share; 0: no mixup.
    cutmix: the same for CutMix.
    num_classes: C.

  Returns:
    The images, float32; the class of the larger share, `[B]`; the shares of the classes, `[B, C]`.
  """
  choice_key, share_key, box_key = jax.random.split(key, 3)
  chance = 0.5 if mixup and cutmix else float(bool(cutmix))
  cuts = jax.random.bernoulli(choice_key, chance)
  alpha = jnp.where(cuts, cutmix, mixup)
  share = jax.random.beta(share_key, alpha, alpha)
  box = _box(box_key, share, images.shape[1], images.shape[2])
  kept = jnp.where(cuts, jnp.where(box, 0.0, 1.0), share)
  share = jnp.mean(kept)

  own = images.astype(jnp.float32)
  kept = kept[None, :, :, None]
  mixed = kept * own + (1 - kept) * jnp.roll(own, 1, axis=0)
  others = jnp.roll(labels, 1)
  soft = share * jax.nn.one_hot(labels, num_classes)
  soft += (1 - share) * jax.nn.one_hot(others, num_classes)
  return mixed, jnp.where(share >= 0.5, labels, others), soft


def _box(key: jax.Array, share: jax.Array, height: int, width: int) -> jax.Array:
  """Returns where the neighbour's box is, `[H, W]`: a share 1 - `share`, cut off at the border."""
  sizes = jnp.array([height, width])
  sides = jnp.floor(sizes.astype(jnp.float32) * jnp.sqrt(1 - share)).astype(jnp.int32)
  centers = jax.random.randint(key, (2,), 0, sizes)
  starts = centers - sides // 2
  rows, columns = jnp.arange(height), jnp.arange(width)
  down = (rows >= starts[0]) & (rows < starts[0] + sides[0])
  across = (columns >= starts[1]) & (columns < starts[1] + sides[1])
  return down[:, None] & across[None]
