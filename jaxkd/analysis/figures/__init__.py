"""The papers' figures: from arrays to Matplotlib figures, nothing is trained.

Every function returns a `matplotlib.figure.Figure` with the caller's caption
below the axes; `save` writes it. It can be read in one column of a page, unless
the caption ends by saying that it is two columns wide.
"""

from jaxkd.analysis.figures.curves import (
  AccuracyPanel,
  OptionPanel,
  derived_curves,
  feature_angles,
  option_curves,
  student_accuracy,
)
from jaxkd.analysis.figures.labels import confidence, softened_labels
from jaxkd.analysis.figures.maps import (
  accuracy_grid,
  agreement,
  group_posteriors,
  temperature_grid,
  topk_overlap,
)
from jaxkd.analysis.figures.scatters import (
  class_directions,
  feature_scatter,
  improvement_correlation,
)
from jaxkd.analysis.figures.style import save
from jaxkd.analysis.figures.training import learning_curves

__all__ = [
  "AccuracyPanel",
  "OptionPanel",
  "accuracy_grid",
  "agreement",
  "class_directions",
  "confidence",
  "derived_curves",
  "feature_angles",
  "feature_scatter",
  "group_posteriors",
  "improvement_correlation",
  "learning_curves",
  "option_curves",
  "save",
  "softened_labels",
  "student_accuracy",
  "temperature_grid",
  "topk_overlap",
]
