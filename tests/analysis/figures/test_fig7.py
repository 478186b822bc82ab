"""Fig. 7 shows probabilities within groups of classes."""

from typing import Any

import numpy as np
from known_teachers import study, unmeasured
from reading_pictures import axes_of, ticks_of

from jaxkd.analysis.figures import Missing, fig7
from jaxkd.reports import style

_RNG: Any = np.random.default_rng(0)


def test_circles_show_posteriors_within_groups():
  names = ["cat", "dog", "oak", "car"]
  posteriors = {"14": _RNG.random((4, 4)), "110": _RNG.random((4, 4))}
  groups = {"pets": ["dog", "cat"], "trees": ["oak"]}
  figure = fig7.plot(posteriors, names, groups)
  dogs, oaks = axes_of(figure)[:2]
  assert dogs.get_title() == "dog (pets)"
  assert oaks.get_title() == "oak (trees)"
  assert ticks_of(oaks.xaxis) == ["dog", "cat", "oak"]
  assert ticks_of(dogs.yaxis) == ["14", "110"]
  assert dogs.get_ylim() == (1.5, -0.5)
  circles, rings = dogs.collections
  # Row by row: the posteriors of cat and oak for an example of a dog.
  expected = [posteriors[net][1, c] for net in ("14", "110") for c in (0, 2)]
  np.testing.assert_allclose(circles.get_array(), expected)
  sizes = circles.get_sizes()
  np.testing.assert_allclose(sizes / sizes.max(), expected / max(expected))
  np.testing.assert_array_equal(rings.get_offsets(), [[0, 0], [0, 1]])
  assert figure.get_figwidth() == style.COLUMN_WIDTH


def test_fig_7_is_reported_as_missing_for_other_classes():
  (missing,) = fig7.draw(unmeasured(study(np.zeros((4, 5)))))
  assert isinstance(missing, Missing)
  assert missing.needs.startswith("Fig. 7, ")
