"""The notebook runs from top to bottom, and shows what its text says."""

import json
import pathlib

import pytest

_MISSING = "the extra notebook is not installed"
nbformat = pytest.importorskip("nbformat", reason=_MISSING)
nbclient = pytest.importorskip("nbclient", reason=_MISSING)
pytest.importorskip("ipykernel", reason=_MISSING)

ROOT = pathlib.Path(__file__).parent.parent
NOTEBOOK = ROOT / "jaxkd" / "examples" / "losses.ipynb"

FACTS = """
import json

wrong = {"isats": losses.softmax(logits["large"], tau2)}
wrong |= {str(tau): losses.softmax(logits["large"], tau) for tau in losses.ISATS_GRID}
variances = {name: metrics.derived_variance(probs, y_train) for name, probs in wrong.items()}
facts = {
  "at_tau": at_tau,
  "peaks": {name: float(taus[curve.argmax()]) for name, curve in curves.items()},
  "means": means,
  "gaps": [
    float((variances["isats"] - variances[str(tau)]).min()) for tau in losses.ISATS_GRID
  ],
  "accuracies": {name: found.tolist() for name, found in accuracies.items()},
  "distilled": trained.metrics[-1]["test_accuracy"],
  "measured": accuracy(trained.module, x_test, y_test),
}
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
  """Runs the notebook, and returns some of its variables."""
  folder = tmp_path_factory.mktemp("notebook")
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  notebook.cells.append(nbformat.v4.new_code_cell(FACTS))
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("PYTHONPATH", str(ROOT))
    patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
      patch.setenv(variable, str(folder / variable.lower()))
    nbclient.NotebookClient(
      notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
  (output,) = notebook.cells[-1].outputs
  return json.loads(output.text)


def test_the_large_teacher_is_less_distinct_at_a_low_temperature(facts):
  assert facts["at_tau"]["small"] > 2 * facts["at_tau"]["large"]
  assert facts["peaks"]["small"] < facts["peaks"]["large"]


def test_no_temperature_of_the_grid_is_more_distinct_than_tau_star(facts):
  assert min(facts["gaps"]) >= -1e-7


def test_ats_and_isats_make_the_wrong_classes_more_distinct(facts):
  plain, ats, isats = facts["means"]
  assert plain < ats
  assert plain < isats


def test_students_reach_high_accuracies(facts):
  assert len(facts["accuracies"]) == 3
  for name, found in facts["accuracies"].items():
    assert min(found) > 0.75, name
  assert facts["distilled"] > 0.9


def test_distill_measures_the_accuracy_of_the_module_that_it_returns(facts):
  assert facts["distilled"] == pytest.approx(facts["measured"], abs=1e-6)


def test_the_committed_notebook_was_run_once_from_top_to_bottom():
  cells = [c for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
  assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
  shown = [output for cell in cells for output in cell.outputs]
  assert sum("image/png" in output.get("data", {}) for output in shown) == 4
  assert not any(output.output_type == "error" for output in shown)
  assert NOTEBOOK.stat().st_size < 400_000
