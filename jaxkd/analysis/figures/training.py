"""What happened while networks were trained."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxkd.analysis.figures import style


@style.styled
def learning_curves(
  curves: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
  *,
  split: str = "test",
  caption: str = "",
) -> Figure:
  """Accuracy against epochs, a colour for each name.

  Args:
    curves: by name, for each seed: epochs `[T]` and accuracies `[T]` in %.
    split: of which the accuracies are.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> epochs = np.array([1.0, 2.0])
    >>> figure = learning_curves({"kd": [(epochs, np.array([10.0, 20.0]))]})
    >>> figure.axes[0].get_ylabel()
    'test accuracy (%)'
  """
  figure, axes = style.new_figure(1, 1, caption=caption, height=2.4)
  (axis,) = axes.flat
  for index, (name, runs) in enumerate(curves.items()):
    for seed, (epochs, accuracies) in enumerate(runs):
      axis.plot(
        epochs,
        accuracies,
        color=style.COLORS[index % len(style.COLORS)],
        linestyle=("-", "--")[index // len(style.COLORS) % 2],
        label=None if seed else name,
      )
  axis.set(xlabel="epoch", ylabel=f"{split} accuracy (%)")
  axis.legend()
  return figure
