"""Measures of dark knowledge: pure, jitted functions of arrays.

Logits and probabilities are `[..., C]` with C >= 2, labels `[...]`, features `[N, D]`. Temperatures
are > 0, scalars or `[...]`. A measure of each example is returned as `[...]`; the caller averages.
Dtypes, labels outside `[0, C)`, masked classes and errors are as in :mod:`jaxkd.losses`, but the
value of a temperature is not checked: it is an argument of a jitted function. Measures of two
networks take logits `[..., C]` of one shape. These, the calibration error and the angles need at
least one example.
"""

from jaxkd.metrics.agreement import (
  RankCorrelations,
  RuleConsistency,
  kendall_tau,
  kendall_tau_b,
  rank_correlations,
  rank_set_overlap,
  rule_consistency,
  spearman,
  topk_overlap,
)
from jaxkd.metrics.distinctness import (
  derived_average,
  derived_variance,
  entropy,
  expected_calibration_error,
  inherent_variance,
  label_probability,
  misguidance,
  temperature_distribution,
)
from jaxkd.metrics.geometry import FeatureAngles, feature_angles

__all__ = ["FeatureAngles", "RankCorrelations", "RuleConsistency", "derived_average"]
__all__ += ["derived_variance", "entropy", "expected_calibration_error", "feature_angles"]
__all__ += ["inherent_variance", "kendall_tau", "kendall_tau_b", "label_probability"]
__all__ += ["misguidance", "rank_correlations", "rank_set_overlap", "rule_consistency", "spearman"]
__all__ += ["temperature_distribution", "topk_overlap"]
