"""Fig. 1: each teacher's label for one example."""

from collections.abc import Sequence

from jaxkd.analysis.figures import ByNetwork, Drawn, Findings, Picture, _labels
from jaxkd.reports import style


def draw(findings: Findings) -> Drawn:
  """Yields the figure."""
  study, tau = findings.study, findings.settings.tau
  example = _labels.typical_example(findings)
  probs = {t.name: _labels.softened(t, example, tau) for t in study.teachers}
  text = (
    f"Fig. 1. Softened probabilities at τ = {tau:g} of {_labels.name_of(study, example)}, a "
    f"typical example. {_labels.TRUTH}"
  )
  figure = plot(probs, int(study.labels[example]), study.class_names)
  caption = findings.caption(text)
  yield Picture("fig1", figure, _labels.label_lines(study, probs, "network"), caption)


@style.styled
def plot(probs: ByNetwork, label: int, class_names: Sequence[str] = ()) -> style.Figure:
  """Draws each network's label `[C]` as a row of bars."""
  height = 0.95 * len(probs) + 0.6
  figure, axes = style.new_figure(len(probs), 1, height=height, sharex=True, sharey=True)
  _labels.draw_labels(axes[:, 0], probs, label, class_names)
  return figure
