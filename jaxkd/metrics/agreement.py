"""Agreement of two networks, or of a network and a rule, on the order of the classes."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxkd import losses
from jaxkd.losses import _checks, _numerics

_BLOCK = 64  # examples per step: enough to vectorise over, few enough for the cache at C = 1000


def _flatten_pair(logits_a: Array, logits_b: Array) -> tuple[Array, Array]:
  """Returns both as `[N, C]`, with -0 as 0."""
  _checks.logits(logits_a=logits_a, logits_b=logits_b)
  _checks.some(logits_a=logits_a)

  def flatten(logits):
    logits = _numerics.accumulate(logits).reshape(-1, logits.shape[-1])
    # Comparisons take -0 for 0, but `top_k` orders it below.
    return jnp.where(logits == 0, 0.0, logits)

  return flatten(logits_a), flatten(logits_b)


def _common_classes(logits_a: Array, logits_b: Array, k: int) -> Array:
  """Returns the number of classes that both networks have in their top k, `[N]`."""
  a, b = _flatten_pair(logits_a, logits_b)
  if not 1 <= k <= a.shape[-1]:
    raise ValueError(f"k = {k}; it must be from 1 to the {a.shape[-1]} classes")
  _, top_a = jax.lax.top_k(a, k)
  _, top_b = jax.lax.top_k(b, k)
  return jnp.sum(top_a[:, :, None] == top_b[:, None, :], axis=(1, 2))


@functools.partial(jax.jit, static_argnames="k")
def topk_overlap(logits_a: Array, logits_b: Array, k: int) -> Array:
  r"""Distribution of the number of classes common to two networks' top-k sets.

  .. math::
    P\left( |\mathcal{C}^a_k \cap \mathcal{C}^b_k| = n \right), \quad n = 0, \ldots, k

  Fig. 5 of the paper, there for k from 1 to 8. Logits are `[..., C]`, k is from 1 to C. Returns the
  fraction of the examples for each n, `[k + 1]`.

  Examples:
    >>> a = jnp.array([[3.0, 2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0]])
    >>> b = jnp.array([[2.0, 3.0, 1.0, 0.0], [3.0, 0.0, 2.0, 1.0]])
    >>> print(topk_overlap(a, b, k=2))
    [0.  0.5 0.5]
  """
  common = _common_classes(logits_a, logits_b, k)
  return jnp.mean(common[:, None] == jnp.arange(k + 1)[None, :], axis=0)


@functools.partial(jax.jit, static_argnames="k")
def rank_set_overlap(logits_a: Array, logits_b: Array, k: int = 5) -> Array:
  r"""Share of the classes common to two networks' top-k sets, `[...]`, in `[0, 1]`.

  .. math::
    s = |\mathcal{C}^a_k \cap \mathcal{C}^b_k| / k

  Eq. 4 of the paper, with k = 5 in Fig. 6. Logits are `[..., C]`, k is from 1 to C.

  Examples:
    >>> a, b = jnp.array([[3.0, 2.0, 1.0]]), jnp.array([[3.0, 1.0, 2.0]])
    >>> print(rank_set_overlap(a, b, k=2))
    [0.5]
  """
  common = _common_classes(logits_a, logits_b, k)
  return (common / k).reshape(logits_a.shape[:-1])


class RankCorrelations(NamedTuple):
  """:func:`spearman`, :func:`kendall_tau`, :func:`kendall_tau_b` of each example, `[...]` each."""

  spearman: Array
  kendall: Array
  kendall_b: Array


@jax.jit
def rank_correlations(logits_a: Array, logits_b: Array) -> RankCorrelations:
  """All rank correlations of two networks' logits `[..., C]`, from one pass.

  Eqs. 5 and 6 of the paper, as :func:`spearman`, :func:`kendall_tau` and :func:`kendall_tau_b`. The
  time grows with the square of C, the memory with C alone: the pairs of classes of some examples
  are visited together.

  Examples:
    >>> a, b = jnp.array([4.0, 3.0, 2.0, 1.0]), jnp.array([4.0, 3.0, 1.0, 2.0])
    >>> found = rank_correlations(a, b)
    >>> print(f"{found.spearman:.3f} {found.kendall:.3f}")
    0.800 0.667
  """
  pair = _flatten_pair(logits_a, logits_b)
  num_examples, num_classes = pair[0].shape
  block = min(_BLOCK, num_examples)
  padding = -num_examples % block
  blocks = [jnp.pad(x, ((0, padding), (0, 0))).reshape(-1, block, num_classes) for x in pair]
  found = jax.lax.map(lambda block: _correlate(*map(_doubled_ranks, block)), tuple(blocks))
  return RankCorrelations(
    *(x.reshape(-1)[:num_examples].reshape(logits_a.shape[:-1]) for x in found)
  )


def _doubled_ranks(logits: Array) -> Array:
  """Returns twice the ranks of the classes, `[C, n]`, from `[n, C]`.

  Equal logits share the mean of their ranks; twice that is an integer, and small integers are
  compared fastest.
  """
  ranks = 2 * jax.scipy.stats.rankdata(logits, axis=-1)
  small = 2 * logits.shape[-1] <= jnp.iinfo(jnp.int16).max
  return ranks.T.astype(jnp.int16 if small else jnp.int32)


def _correlate(a: Array, b: Array) -> RankCorrelations:
  """Correlates doubled ranks `[C, n]`: the examples fill vector registers."""
  num_classes = len(a)
  classes = jnp.arange(num_classes, dtype=a.dtype)[:, None]

  def add_class(totals, j):
    above_a, above_b, below_b = a[j][None] > a, b[j][None] > b, b[j][None] < b
    agreeing = (above_a == above_b) & (classes > j.astype(a.dtype))
    # Of (j1, j2) and (j2, j1), one has the larger logit of a first.
    order_b = above_b.astype(a.dtype) - below_b.astype(a.dtype)
    values = agreeing, jnp.where(above_a, order_b, 0)
    return tuple(
      total + jnp.sum(value, axis=0, dtype=a.dtype).astype(jnp.int32)
      for total, value in zip(totals, values, strict=True)
    ), None

  zeros = jnp.zeros(a.shape[1:], jnp.int32)
  (agreeing, agreement), _ = jax.lax.scan(add_class, (zeros, zeros), jnp.arange(num_classes))
  pairs = num_classes * (num_classes - 1) // 2
  x, y = (ranks.astype(jnp.float32) - (num_classes + 1) for ranks in (a, b))
  squares = jnp.sum(jnp.square(x), axis=0) * jnp.sum(jnp.square(y), axis=0)
  untied_a, untied_b = (jax.vmap(_untied_pairs, in_axes=1)(ranks) for ranks in (a, b))
  # Without variation 0 / 0 is NaN, as it should be.
  spearman = jnp.sum(x * y, axis=0) / jnp.sqrt(squares)
  kendall_b = agreement.astype(jnp.float32) / jnp.sqrt(untied_a * untied_b)
  return RankCorrelations(spearman, (2 * agreeing - pairs) / pairs, kendall_b)


def _untied_pairs(ranks: Array) -> Array:
  """Counts the pairs of different ranks in doubled ranks `[C]`, as float32."""
  sizes = jnp.bincount(ranks, length=2 * len(ranks) + 1)
  pairs = len(ranks) * (len(ranks) - 1) // 2
  return (pairs - jnp.sum(sizes * (sizes - 1) // 2)).astype(jnp.float32)


@jax.jit
def spearman(logits_a: Array, logits_b: Array) -> Array:
  r"""Spearman's rank correlation of two networks' logits `[..., C]`.

  .. math::
    \rho = \mathrm{Pearson}(R^a, R^b)

  Eq. 5 of the paper: :math:`R` are the ranks of the classes; equal logits share the mean of their
  ranks. Returns `[...]`, in `[-1, 1]`; NaN where all of a network's logits are equal.

  Examples:
    >>> a, b = jnp.array([4.0, 3.0, 2.0, 1.0]), jnp.array([4.0, 3.0, 1.0, 2.0])
    >>> print(f"{spearman(a, b):.3f}")
    0.800
  """
  return rank_correlations(logits_a, logits_b).spearman


@jax.jit
def kendall_tau(logits_a: Array, logits_b: Array) -> Array:
  r"""Kendall's rank correlation of two networks' logits `[..., C]`, as in the paper.

  .. math::
    \tau = \frac{2}{C (C - 1)} \sum_{j_1 < j_2}
      \mathrm{sg}(f^a_{j_1} - f^a_{j_2})\, \mathrm{sg}(f^b_{j_1} - f^b_{j_2})

  Eq. 6 of the paper, where sg is 1 or -1 "depending on whether the input is positive or not": of
  two equal logits, the later class counts as the larger. :func:`kendall_tau_b` treats them
  symmetrically; without equal logits the two are the same. Returns `[...]`, in `[-1, 1]`.

  Examples:
    The paper's example, five classes of which two neighbours are swapped:

    >>> a, b = jnp.array([5.0, 4.0, 3.0, 2.0, 1.0]), jnp.array([5.0, 3.0, 4.0, 2.0, 1.0])
    >>> print(f"{kendall_tau(a, b):.2f}")
    0.80
  """
  return rank_correlations(logits_a, logits_b).kendall


@jax.jit
def kendall_tau_b(logits_a: Array, logits_b: Array) -> Array:
  r"""Kendall's rank correlation of logits `[..., C]`, with equal logits taken into account.

  .. math::
    \tau_b = \frac{n_+ - n_-}{\sqrt{n_a n_b}}

  Kendall, *The Treatment of Ties in Ranking Problems*, Biometrika 1945: :math:`n_+` and :math:`n_-`
  are the pairs of classes that the networks order alike and differently, :math:`n_a` and
  :math:`n_b` those that each network tells apart. Returns `[...]`, in `[-1, 1]`; NaN where all of a
  network's logits are equal.

  Examples:
    >>> a, b = jnp.array([3.0, 2.0, 1.0]), jnp.array([3.0, 1.0, 1.0])
    >>> print(f"{kendall_tau_b(a, b):.3f}")
    0.816
  """
  return rank_correlations(logits_a, logits_b).kendall_b


class RuleConsistency(NamedTuple):
  """A network measured against a rule: the two means of :func:`rule_consistency`, scalars."""

  kendall: Array
  deviation: Array


@functools.partial(jax.jit, static_argnames="chains")
def rule_consistency(
  logits: Array, labels: Array, chains: tuple[tuple[int, ...], ...], tau: ArrayLike = 4.0
) -> RuleConsistency:
  r"""Agreement of a network with a rule on similar classes.

  .. math::
    \tau(p_{c_0}, \ldots, p_{c_n}; -0, \ldots, -n), \quad \sigma(p_{c_1}, \ldots, p_{c_n})

  For each example of the first class :math:`c_0` of a chain: Kendall's tau between the
  probabilities of the chain's classes and their order in the chain, and the (population) standard
  deviation of all but the first. The means over the examples, then over the chains, are a cell of
  the paper's Table 1.

  Logits are `[N, C]`, labels `[N]`. A chain, from :func:`jaxkd.analysis.rules.label_chains`, has
  three labels or more, all in `[0, C)`, from most to least similar to the first. `tau` > 0, a
  scalar or `[N]`, is 4 as in Fig. 7; the paper's table does not state it. The means are NaN if a
  chain's first class has no examples.

  Examples:
    >>> logits = jnp.array([[4.0, 3.0, 1.0, 2.0], [0.0, 9.0, 0.0, 0.0]])
    >>> found = rule_consistency(logits, jnp.array([0, 1]), ((0, 1, 2, 3),))
    >>> print(f"{found.kendall:.3f} {found.deviation:.3f}")
    0.667 0.044
  """
  _checks.logits(rank=2, logits=logits)
  labels = _checks.labels(labels, logits).own
  for label in (label for chain in chains for label in chain):
    if not 0 <= label < logits.shape[-1]:
      raise ValueError(f"the rule's class {label} is outside the {logits.shape[-1]} classes")
  probs = losses.softmax(logits, tau)

  def one_chain(chain):
    ranked = probs[:, jnp.array(chain)]
    order = jnp.broadcast_to(-jnp.arange(len(chain), dtype=ranked.dtype), ranked.shape)
    own = labels == chain[0]
    deviations = jnp.std(ranked[:, 1:], axis=-1)
    return jnp.mean(kendall_tau(ranked, order), where=own), jnp.mean(deviations, where=own)

  kendall, deviation = zip(*map(one_chain, chains), strict=True)
  return RuleConsistency(jnp.mean(jnp.stack(kendall)), jnp.mean(jnp.stack(deviation)))
