"""A method whose loss changes raises its version, so that no old result is reused."""

import ast
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from views import Peer, count_teachers

from jaxkd import methods
from jaxkd.methods import View
from jaxkd.models import Outputs

OBJECTIVES = sorted(name for name, m in methods.all_methods().items() if m.loss is not None)


def recorded():
  """Returns version and value by method: the `RECORDED` of all test files of methods."""
  found = {}
  for file in pathlib.Path(__file__).parent.glob("test_*.py"):
    for node in ast.parse(file.read_text()).body:
      if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECORDED":
        found |= ast.literal_eval(node.value)
  return found


def outputs(rng):
  def draw(*shape):
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)

  stages = draw(4, 4, 4, 3), draw(4, 2, 2, 5)
  logits, features = 3 * draw(4, 5), draw(4, 6)
  class_map = logits[:, None, None] + 3 * stages[1]
  maps = tuple(map(jax.nn.relu, stages))
  return Outputs(logits, features, maps, stages, class_map, averaged=maps[1])


def terms_of(name, labels, **more):
  """Means of a method's terms with its defaults on a fixed batch; `more` are fields of the view."""
  rng = np.random.default_rng(0)
  student, *teachers = outputs(rng), outputs(rng), outputs(rng)
  theirs = tuple(teachers[: count_teachers(name)])
  method = methods.objective(name)
  constants = method.prepare and method.prepare(theirs, labels, labels >= 0, 5)
  adapter = method.adapter and method.adapter(student, theirs, nnx.Rngs(0))
  if method.peers:
    adapter = [Peer(peer.logits) for peer in teachers[: method.peers]]
  view = View(
    student,
    theirs,
    labels,
    constants,
    progress=jnp.float32(0.5),
    adapter=adapter,
    images=jnp.zeros((4, 4, 4, 1)),
    key=jax.random.key(0),
    **more,
  )
  terms, _ = method.loss(view)
  return {name: jnp.mean(term) for name, term in terms.items()}


@functools.partial(jax.jit, static_argnums=0)
def value(name):
  """The loss of a method with its defaults on a fixed batch."""
  return sum(terms_of(name, jnp.array([0, 3, 1, 2])).values())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_changes_only_with_the_version(name):
  known, found = recorded().get(name), float(value(name))
  version = methods.find(name).version
  assert known, f"add to the test file: RECORDED = {{{name!r}: ({version}, {found:.6g})}}"
  assert version == known[0], f"record the value of version {version}: {found:.6g}"
  assert found == pytest.approx(known[1], rel=1e-4), "raise the method's version"
