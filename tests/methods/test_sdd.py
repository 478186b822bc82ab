"""SDD distils the logits of image regions, with weights for complementary ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import agrees, cross_entropy, kl, minimised, softmax
from views import LABELS, STUDENT, TEACHER

# Version and loss on the batch of test_versions.py.
RECORDED = {"sdd": (1, 15.4644), "sdd_dkd": (1, 135.507)}


def mapped(outputs, seed, size):
  """Outputs whose logits are the average of a class map."""
  noise = 4 * jax.random.normal(jax.random.key(seed), (4, size, size, 5))
  class_map = outputs.logits[:, None, None] + noise - noise.mean((1, 2), keepdims=True)
  return outputs._replace(class_map=class_map)


OWN, TARGET = mapped(STUDENT, 2, 4), mapped(TEACHER, 3, 8)


def regions(class_map, scales):
  """The logits of all regions, `[B, R, C]`."""
  x = np.asarray(class_map, np.float64)
  cells = []
  for scale in scales:
    side = x.shape[1] // scale
    rows = [x[:, i * side : (i + 1) * side] for i in range(scale)]
    cells += [r[:, :, i * side : (i + 1) * side].mean((1, 2)) for r in rows for i in range(scale)]
  return np.stack(cells, 1)


def kd(student, teacher, label, tau):
  del label
  return tau**2 * kl(softmax(teacher, tau), softmax(student, tau))


def dkd(student, teacher, label, tau, beta=8):
  s, t = softmax(student, tau), softmax(teacher, tau)
  pair = [np.stack([p[..., label], 1 - p[..., label]], -1) for p in (t, s)]
  rest = [softmax(np.delete(x, label, -1), tau) for x in (teacher, student)]
  return tau**2 * (kl(*pair) + beta * kl(*rest))


def weighted(loss, class_map, scales, complementary, tau):
  student, teacher = regions(class_map, scales), regions(TARGET.class_map, scales)
  total = 0.0
  for s, t, image, label in zip(student, teacher, TARGET.logits, LABELS, strict=True):
    right = np.argmax(image) == label
    same = (np.argmax(t, -1) == label) == right
    total += np.sum(np.where(same, 1, complementary) * loss(s, t, label, tau))
  return total / (4 * teacher.shape[1])


@pytest.mark.parametrize(
  "options", [{}, {"scales": (1, 2), "tau": 2.0, "complementary": 3.0}, {"scales": (4,)}]
)
def test_the_loss_equals_that_of_the_authors_code(options):
  def soft(class_map, loss):
    known = {"scales": (1, 2, 4), "tau": 4.0, "complementary": 2.0} | options
    return weighted(loss, class_map, **known)

  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))
  pair = {"field": "class_map", "student": OWN, "teacher": TARGET}
  agrees({"name": "sdd", **options}, lambda x: 0.1 * hard + 0.9 * soft(x, kd), **pair)
  agrees({"name": "sdd_dkd", **options}, lambda x: hard + soft(x, dkd), **pair, progress=0.5)


def test_one_region_is_kd():
  # Without weights the image itself is the only region.
  options = {"name": "sdd", "scales": (1,), "lam": 1.0}
  teacher = np.asarray(TEACHER.logits, np.float64)
  expected = np.mean(kd(np.asarray(STUDENT.logits, np.float64), teacher, None, 4.0))
  np.testing.assert_allclose(minimised(options, OWN, TARGET), expected, rtol=1e-4)


def test_a_network_without_a_class_map_is_refused():
  with pytest.raises(ValueError, match="needs the class_map of a network"):
    minimised("sdd", STUDENT, TARGET)


def test_the_batch_has_regions_of_both_kinds():
  right = jnp.argmax(regions(TARGET.class_map, (1, 2, 4)), -1) == LABELS[:, None]
  assert set(np.unique(right == right[:, :1])) == {True, False}
