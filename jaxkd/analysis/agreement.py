"""How much two networks, or a network and a rule, agree on the classes."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.losses import _numerics

# Examples per step of the rank statistics: enough to vectorise over, few enough
# for the cache at C = 1000.
_BLOCK = 64


def _flatten_pair(
  logits_a: jax.Array, logits_b: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns both as `[N, C]`."""
  if logits_a.shape != logits_b.shape:
    raise ValueError(
      f"the networks' logits have shapes {logits_a.shape} and "
      f"{logits_b.shape}; they must be of the same examples and classes"
    )
  num_classes = logits_a.shape[-1]
  return (
    _numerics.accumulate(logits_a).reshape(-1, num_classes),
    _numerics.accumulate(logits_b).reshape(-1, num_classes),
  )


def _common_classes(
  logits_a: jax.Array, logits_b: jax.Array, k: int
) -> jax.Array:
  """Returns how many of both networks' top-k classes are common, `[N]`."""
  a, b = _flatten_pair(logits_a, logits_b)
  if not 1 <= k <= a.shape[-1]:
    raise ValueError(f"k = {k}; it must be from 1 to the {a.shape[-1]} classes")
  _, top_a = jax.lax.top_k(a, k)
  _, top_b = jax.lax.top_k(b, k)
  return jnp.sum(top_a[:, :, None] == top_b[:, None, :], axis=(1, 2))


@functools.partial(jax.jit, static_argnames="k")
def topk_overlap(logits_a: jax.Array, logits_b: jax.Array, k: int) -> jax.Array:
  r"""Distribution of the number of classes common to two top-k sets.

  .. math::
    P\left( |\mathcal{C}^a_k \cap \mathcal{C}^b_k| = n \right), \quad
    n = 0, \ldots, k

  Fig. 5 of the paper, there for K from 1 to 8.

  Args:
    logits_a: one network's, `[..., C]`, any floating dtype.
    logits_b: the other's, of the same shape.
    k: size of the sets, from 1 to C.

  Returns:
    The fraction of the examples for each n, `[k + 1]`.

  Raises:
    ValueError: the shapes differ, or k > C.

  Examples:
    >>> import jax.numpy as jnp
    >>> a = jnp.array([[3.0, 2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0]])
    >>> b = jnp.array([[2.0, 3.0, 1.0, 0.0], [3.0, 0.0, 2.0, 1.0]])
    >>> print(topk_overlap(a, b, k=2))
    [0.  0.5 0.5]
  """
  common = _common_classes(logits_a, logits_b, k)
  return jnp.mean(common[:, None] == jnp.arange(k + 1)[None, :], axis=0)


@functools.partial(jax.jit, static_argnames="k")
def rank_set_overlap(
  logits_a: jax.Array, logits_b: jax.Array, k: int = 5
) -> jax.Array:
  r"""Share of the classes common to two top-k sets.

  .. math::
    s = |\mathcal{C}^a_k \cap \mathcal{C}^b_k| / k

  Eq. 4 of the paper, with k = 5 in Fig. 6.

  Args:
    logits_a: one network's, `[..., C]`, any floating dtype.
    logits_b: the other's, of the same shape.
    k: size of the sets, from 1 to C.

  Returns:
    `[...]`, in `[0, 1]`.

  Raises:
    ValueError: the shapes differ, or k > C.

  Examples:
    >>> import jax.numpy as jnp
    >>> a, b = jnp.array([[3.0, 2.0, 1.0]]), jnp.array([[3.0, 1.0, 2.0]])
    >>> print(rank_set_overlap(a, b, k=2))
    [0.5]
  """
  common = _common_classes(logits_a, logits_b, k)
  return (common / k).reshape(logits_a.shape[:-1])


@jax.jit
def spearman(logits_a: jax.Array, logits_b: jax.Array) -> jax.Array:
  r"""Spearman's rank correlation of two networks' logits.

  .. math::
    \rho = \mathrm{Pearson}(R^a, R^b)

  Eq. 5 of the paper: :math:`R` are the ranks of the classes; equal logits share
  the mean of their ranks.

  Args:
    logits_a: one network's, `[..., C]`, any floating dtype.
    logits_b: the other's, of the same shape.

  Returns:
    `[...]`, in `[-1, 1]`; NaN where all of a network's logits are equal.

  Raises:
    ValueError: the shapes differ.

  Examples:
    >>> import jax.numpy as jnp
    >>> a = jnp.array([4.0, 3.0, 2.0, 1.0])
    >>> b = jnp.array([4.0, 3.0, 1.0, 2.0])
    >>> print(f"{spearman(a, b):.3f}")
    0.800
  """

  def correlate(pair):
    ranks = (jax.scipy.stats.rankdata(logits) for logits in pair)
    a, b = (r - jnp.mean(r) for r in ranks)
    # 0 / 0 without variation is what it should be: NaN.
    return jnp.sum(a * b) / jnp.sqrt(
      jnp.sum(jnp.square(a)) * jnp.sum(jnp.square(b))
    )

  pair = _flatten_pair(logits_a, logits_b)
  rho = jax.lax.map(correlate, pair, batch_size=_BLOCK)
  return rho.reshape(logits_a.shape[:-1])


def _sum_over_pairs(
  statistic: Callable, logits_a: jax.Array, logits_b: jax.Array
) -> tuple[jax.Array, ...]:
  """Sums integer statistics of the pairs of classes of each example.

  Args:
    statistic: takes both networks' logits of a class j1, `[1, n]`, and of all
      classes j2, `[C, n]`, then which j2 > j1, `[C, 1]`; returns a tuple of
      integers or booleans `[C, n]`.
    logits_a: `[N, C]`.
    logits_b: `[N, C]`.

  Returns:
    A tuple of sums `[N]`, exact.
  """
  num_examples, num_classes = logits_a.shape
  classes = jnp.arange(num_classes)[:, None]

  def one_block(pair):
    # Examples last: they fill the vector registers, and no sum crosses them.
    a, b = pair[0].T, pair[1].T

    def add_class(j, totals):
      values = statistic(a[j][None], a, b[j][None], b, classes > j)
      return tuple(
        total + jnp.sum(value, axis=0, dtype=jnp.int32)
        for total, value in zip(totals, values, strict=True)
      )

    zeros = jax.tree.map(
      lambda value: jnp.zeros(value.shape[1:], jnp.int32),
      jax.eval_shape(statistic, a[:1], a, b[:1], b, classes > 0),
    )
    return jax.lax.fori_loop(0, num_classes, add_class, zeros)

  block = min(_BLOCK, num_examples)
  padding = -num_examples % block
  pair = tuple(
    jnp.pad(x, ((0, padding), (0, 0))).reshape(-1, block, num_classes)
    for x in (logits_a, logits_b)
  )
  sums = jax.lax.map(one_block, pair)
  return tuple(s.reshape(-1)[:num_examples] for s in sums)


@jax.jit
def kendall_tau(logits_a: jax.Array, logits_b: jax.Array) -> jax.Array:
  r"""Kendall's rank correlation of two networks' logits, as in the paper.

  .. math::
    \tau = \frac{2}{C (C - 1)} \sum_{j_1 < j_2}
      \mathrm{sg}(f^a_{j_1} - f^a_{j_2})\, \mathrm{sg}(f^b_{j_1} - f^b_{j_2})

  Eq. 6 of the paper, where sg is 1 or -1 "depending on whether the input is
  positive or not": of two equal logits, the later class counts as the larger.
  :func:`kendall_tau_b` treats them symmetrically; without equal logits the two
  are the same.

  Args:
    logits_a: one network's, `[..., C]`, any floating dtype.
    logits_b: the other's, of the same shape.

  Returns:
    `[...]`, in `[-1, 1]`.

  Raises:
    ValueError: the shapes differ.

  Examples:
    The paper's example, five classes of which two neighbours are swapped:

    >>> import jax.numpy as jnp
    >>> a = jnp.array([5.0, 4.0, 3.0, 2.0, 1.0])
    >>> b = jnp.array([5.0, 3.0, 4.0, 2.0, 1.0])
    >>> print(f"{kendall_tau(a, b):.2f}")
    0.80
  """
  (agreeing,) = _sum_over_pairs(
    lambda a_j, a, b_j, b, later: (((a_j > a) == (b_j > b)) & later,),
    *_flatten_pair(logits_a, logits_b),
  )
  num_classes = logits_a.shape[-1]
  pairs = num_classes * (num_classes - 1) // 2
  return ((2 * agreeing - pairs) / pairs).reshape(logits_a.shape[:-1])


@jax.jit
def kendall_tau_b(logits_a: jax.Array, logits_b: jax.Array) -> jax.Array:
  r"""Kendall's rank correlation with equal logits taken into account.

  .. math::
    \tau_b = \frac{n_+ - n_-}{\sqrt{n_a n_b}}

  Kendall, *The Treatment of Ties in Ranking Problems*, Biometrika 1945:
  :math:`n_+` and :math:`n_-` are the pairs of classes that the networks order
  alike and differently, :math:`n_a` and :math:`n_b` those that each network
  tells apart.

  Args:
    logits_a: one network's, `[..., C]`, any floating dtype.
    logits_b: the other's, of the same shape.

  Returns:
    `[...]`, in `[-1, 1]`; NaN where all of a network's logits are equal.

  Raises:
    ValueError: the shapes differ.

  Examples:
    >>> import jax.numpy as jnp
    >>> a, b = jnp.array([3.0, 2.0, 1.0]), jnp.array([3.0, 1.0, 1.0])
    >>> print(f"{kendall_tau_b(a, b):.3f}")
    0.816
  """

  # Of (j1, j2) and (j2, j1), one has the larger logit of a first.
  def statistic(a_j, a, b_j, b, later):
    del later
    order_b = (b_j > b).astype(jnp.int32) - (b_j < b).astype(jnp.int32)
    return jnp.where(a_j > a, order_b, 0), a_j > a, b_j > b

  agreement, untied_a, untied_b = (
    n.astype(jnp.float32)
    for n in _sum_over_pairs(statistic, *_flatten_pair(logits_a, logits_b))
  )
  tau = agreement / jnp.sqrt(untied_a * untied_b)
  return tau.reshape(logits_a.shape[:-1])


class RuleConsistency(NamedTuple):
  """A network measured against a rule.

  Attributes:
    kendall: mean Kendall's tau between the network's order and the rule's.
    deviation: mean standard deviation of the probabilities of the rule's
      classes without the first, the examples' own.
  """

  kendall: jax.Array
  deviation: jax.Array


@functools.partial(jax.jit, static_argnames="chains")
def rule_consistency(
  logits: jax.Array,
  labels: jax.Array,
  chains: tuple[tuple[int, ...], ...],
  tau: jax.typing.ArrayLike = 4.0,
) -> RuleConsistency:
  r"""Agreement of a network with a rule on which classes are similar.

  For each example of a chain's first class: Kendall's tau between the
  probabilities of the chain's classes and their order in the chain, and the
  (population) standard deviation of all but the first. Averaged over the
  examples, then over the chains: a cell of the paper's Table 1.

  Args:
    logits: `[N, C]`, any floating dtype.
    labels: `[N]`, integers in `[0, C)`.
    chains: labels from most to least similar to the first, three or more each,
      from :func:`jaxkd.analysis.rules.label_chains`.
    tau: temperature > 0 of the probabilities; 4 as in Fig. 7, the paper's table
      does not state it.

  Returns:
    :class:`RuleConsistency`, scalars; NaN if a chain's first class has no
    examples.

  Raises:
    ValueError: a chain names a class that the logits do not have.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits = jnp.array([[4.0, 3.0, 1.0, 2.0], [0.0, 9.0, 0.0, 0.0]])
    >>> labels = jnp.array([0, 1])
    >>> found = rule_consistency(logits, labels, ((0, 1, 2, 3),))
    >>> print(f"{found.kendall:.3f} {found.deviation:.3f}")
    0.667 0.044
  """
  num_classes = logits.shape[-1]
  for label in (label for chain in chains for label in chain):
    if not 0 <= label < num_classes:
      raise ValueError(f"the rule's class {label} is none of {num_classes}")
  probs = losses.softmax(logits, tau)
  labels = jnp.asarray(labels, jnp.int32)

  def one_chain(chain):
    ranked = probs[:, jnp.array(chain)]
    order = jnp.broadcast_to(
      -jnp.arange(len(chain), dtype=ranked.dtype), ranked.shape
    )
    own = labels == chain[0]
    return (
      jnp.mean(kendall_tau(ranked, order), where=own),
      jnp.mean(jnp.std(ranked[:, 1:], axis=-1), where=own),
    )

  kendall, deviation = zip(*map(one_chain, chains), strict=True)
  return RuleConsistency(
    jnp.mean(jnp.stack(kendall)), jnp.mean(jnp.stack(deviation))
  )
