"""Figures come in the papers' order."""

from jaxkd.analysis import figures


def test_figures_are_sorted_by_paper_and_number():
  names = ["ats_fig3", "fig10", "table1", "fig2"]
  assert sorted(names, key=figures._order) == ["fig2", "fig10", "table1", "ats_fig3"]
