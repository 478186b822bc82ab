"""ATS paper, Fig. 7: derived average and derived variance against temperature."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd import losses, metrics
from jaxkd.analysis.figures import Drawn, Findings, Picture
from jaxkd.analysis.measure import over_blocks
from jaxkd.reports.pictures import derived_curves, derived_lines

TAUS = (0.1, 0.25, 0.4, 0.5, *map(float, range(1, 11)))


def draw(findings: Findings) -> Drawn:
  """Yields the figure, of the smallest and the largest teacher."""
  study = findings.study
  small, *_, large = study.teachers
  # The temperatures of the ATS curve are those of its authors' code.
  shown = (small, "TS", (1.0, 1.0)), (large, "TS", (1.0, 1.0)), (large, "ATS", (1.25, 0.75))
  derived = {
    f"{teacher.name}, {kind}": temperature_curves(teacher.logits, study.labels, ratios)
    for teacher, kind, ratios in shown
  }
  text = (
    "ATS paper, Fig. 7. Derived average and derived variance of the teachers' labels against "
    "temperature, mean over the examples. The variance's scale is logarithmic. ATS has "
    "τ1 = 1.25 τ and τ2 = 0.75 τ."
  )
  figure = derived_curves(TAUS, derived)
  yield Picture("ats-fig7", figure, derived_lines(TAUS, derived), findings.caption(text))


@jax.jit
def _curves(
  logits: jax.Array, labels: jax.Array, ratio1: float, ratio2: float
) -> tuple[jax.Array, jax.Array]:
  def at(tau):
    probs = losses.asymmetric_softmax(logits, labels, ratio1 * tau, ratio2 * tau)
    return metrics.derived_average(probs, labels), metrics.derived_variance(probs, labels)

  averages, variances = jax.lax.map(at, jnp.array(TAUS))
  return averages.T, variances.T


def temperature_curves(
  logits: np.ndarray, labels: np.ndarray, ratios: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean e(q) and v(q) at each of `TAUS`, `[T]` each, of logits `[N, C]`, labels `[N]`.

  `ratios` are the temperatures of the label's class and of the others over tau; equal for TS.
  """
  curves = over_blocks(lambda *block: _curves(*block, *ratios), logits, labels)
  average, variance = (values.mean(axis=0, dtype=np.float64) for values in curves)
  return average, variance
