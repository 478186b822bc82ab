"""`jaxkd.analyze` from flags to the report: trained teachers, and saved logits."""

import contextlib
import csv
import html.parser
import io
import pathlib
import re
import shutil
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from absl import flags
from flax import nnx

from jaxkd import analyze, cli, data, metrics, models
from jaxkd.analysis import plan, saved, students, trained, writeup
from jaxkd.analysis.study import MeasuredTeacher, Settings
from jaxkd.common.errors import ConfigError
from jaxkd.models import weights
from jaxkd.runs import inventory, planning, queue, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding
from jaxkd.tuning import grid

LABELS = np.array([0, 1, 2, 0])
# Probabilities at temperature 4, that of the label first. The wrong classes have
# a variance of 0.01 and of 0.0025.
SMALL, LARGE = (0.5, 0.35, 0.15), (0.8, 0.15, 0.05)


def logits(probs):
  """Returns equal logits for every example, rotated so that its label has the first."""
  return np.stack([np.roll(4 * np.log(probs), label) for label in LABELS])


def lines(path):
  with open(path, newline="") as file:
    return list(csv.DictReader(file))


def forget_flags():
  """Resets the flags for the next command line."""
  for name in ("config", "workdir", "logits", "weights", "tau", "isats_grid", "k"):
    flags.FLAGS[name].unparse()
  for name in list(flags.FLAGS):
    if name.startswith("config."):
      delattr(flags.FLAGS, name)
  flags.FLAGS.unparse_flags()


def run(argv):
  """Runs the command; returns its output."""
  forget_flags()
  printed = io.StringIO()
  with contextlib.redirect_stdout(printed):
    analyze.run(cli.parse(["jaxkd", *argv]))
  forget_flags()
  return printed.getvalue()


@pytest.fixture
def save(tmp_path):
  def save(name, **arrays):
    np.savez(tmp_path / name, **{"labels": LABELS, **arrays})
    return str(tmp_path / name)

  return save


@pytest.fixture
def analyse(tmp_path, monkeypatch):
  """Returns a function that runs the command in a folder of its own."""

  def analyse(*argv):
    # ml_collections reads overrides from sys.argv.
    line = ["jaxkd", f"--workdir={tmp_path / 'runs'}", *argv]
    monkeypatch.setattr(sys, "argv", line)
    analyze.run(cli.parse(line))
    return next((tmp_path / "runs").glob("analysis-*"))

  forget_flags()
  yield analyse
  forget_flags()


TEACHERS = {
  # The order differs from that of the sizes.
  "wide": ("mlp", {"depth": 1, "width": 32}),
  "narrow": ("mlp", {"depth": 1, "width": 8}),
}


@pytest.fixture
def config(tiny_config):
  plan.add_teachers(tiny_config, TEACHERS)
  tiny_config.analysis.stages = (0.5,)
  return tiny_config


def write_config(folder, tiny):
  """Writes a config file with the options of `config`; returns the flag that names it."""
  path = folder / "tiny.py"
  options = tiny.to_dict()
  path.write_text(
    "import ml_collections\n"
    "from jaxkd.analysis import plan\n"
    "def get_config():\n"
    f"  config = ml_collections.ConfigDict({options!r})\n"
    f"  plan.add_teachers(config, {TEACHERS!r})\n"
    "  config.analysis.stages = (0.5,)\n"
    "  return config\n"
  )
  return f"--config={path}"


@pytest.fixture
def config_file(tiny_config, tmp_path):
  return write_config(tmp_path, tiny_config)


def outputs(entry, images):
  """Applies a network of the store to images."""
  spec = data.find("digits")
  network, variables = teachers.load_network(entry, sharding.mesh())
  return network.apply(variables, data.normalize(jnp.asarray(images), spec))


@pytest.fixture(scope="module")
def store(tmp_path_factory, make_tiny_config):
  """Returns the output of the command and the store in which it trained the teachers."""
  place = tmp_path_factory.mktemp("store")
  argv = [write_config(place, make_tiny_config()), f"--workdir={place / 'runs'}"]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(sys, "argv", ["jaxkd", *argv])
    return run(argv), place / "runs"


@pytest.fixture
def workdir(store, tmp_path):
  """Returns a copy of the store with its trained teachers."""
  return shutil.copytree(store[1], tmp_path / "runs")


def test_the_tables_agree_with_the_metrics_of_the_trained_teachers(
  store, config, workdir, monkeypatch
):
  printed, _ = store
  # The folder is named after the data set, not after the title of the config.
  (folder,) = workdir.glob("analysis-digits-*")
  assert (folder / "report.md").read_text() in printed
  # The report names its networks, which so are not taken for unused.
  assert not inventory.unused(workdir, days=0)

  # The tables agree with the metrics of the networks.
  split, _ = data.load(data.find("digits"))
  labels = jnp.asarray(split.labels)
  entries = {}
  for path in workdir.glob("digits-*"):
    entry = PhaseFolder.open(path)
    if entry.phase.schedule["epochs"] < 0.5:
      early = entry
      continue
    width = entry.phase.network["options"]["width"]
    entries["wide" if width == 32 else "narrow"] = entry
  table = lines(folder / "teachers.csv")
  assert [line["network"] for line in table] == ["narrow", "wide"]
  found = {name: outputs(e, split.images) for name, e in entries.items()}
  for line in table:
    name = line["network"]
    probs = jnp.exp(4.0**-1 * found[name].logits)
    probs /= jnp.sum(probs, axis=-1, keepdims=True)
    variance = jnp.mean(metrics.derived_variance(probs, labels))
    np.testing.assert_allclose(float(line["v(q), τ = 4"]), variance, rtol=1e-4)
    accuracy = 100 * jnp.mean(jnp.argmax(found[name].logits, -1) == labels)
    np.testing.assert_allclose(float(line["accuracy on these examples (%)"]), accuracy, rtol=1e-5)
    test = entries[name].accuracy
    assert float(line["test accuracy (%)"]) == 100 * test
  (pair,) = lines(folder / "pairs.csv")
  rho = metrics.spearman(found["narrow"].logits, found["wide"].logits)
  np.testing.assert_allclose(float(pair["Spearman's ρ"]), np.nanmean(rho), rtol=1e-4)
  for line in lines(folder / "fig3.csv"):
    angles = metrics.feature_angles(found[line["network"]].features, labels)
    np.testing.assert_allclose(float(line["within_mean"]), angles.within_mean, rtol=1e-3)
  shares = lines(folder / "temperatures.csv")[1]
  assert sum(float(v) for k, v in shares.items() if "τ*" in k) == pytest.approx(1)
  drawn = re.sub("<[^>]*>", " ", (folder / "fig6.svg").read_text())
  caption = " ".join(drawn.split())
  assert "narrow, wide: 0.5 epochs, seed 0." in caption
  assert "Approximated" in caption

  # A second analysis trains nothing. The largest teacher also has an early stop.
  monkeypatch.setattr(queue, "train", None)
  (again,) = trained.studies(config, workdir)
  assert [stage.name for stage in again.stages] == ["0.25 epochs", "0.5 epochs"]
  for logits, expected in [
    (again.teachers[0].logits, found["narrow"].logits),
    (again.stages[1].logits, found["wide"].logits),
    (again.stages[0].logits, outputs(early, split.images).logits),
  ]:
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
  levels = [line["training"] for line in lines(folder / "fig9-training.csv")]
  assert levels == 10 * ["0.25 epochs"] + 10 * ["0.5 epochs"]


def test_a_subset_of_examples_and_the_finished_students_are_analysed(config, workdir):
  config.analysis.examples = 100
  config.seeds = (0, 1)
  config.rows = ("nokd", "kd", "ats")
  accuracy = iter(range(100))
  for _, one in plan._experiments(config):
    for row in config.rows:
      for one.ats.tau1 in (4.0, 5.0) if row == "ats" else (4.0,):
        for seed in config.seeds:
          entry = PhaseFolder.of(workdir, planning.student(one, row, seed))
          entry.create()
          entry.finish({"test": {"accuracy": next(accuracy) / 100}})
  (study,) = trained.studies(config, workdir)

  split, _ = data.load(data.find("digits"))
  np.testing.assert_array_equal(study.labels, split.labels[::15])
  assert study.approximations[0] == "96 of the 1437 examples"
  _, wide = study.teachers
  assert study.features["narrow"].shape == (96, 8)
  assert wide.logits.shape == (96, 10)

  # The second teacher of the config is the first by size.
  taught = {(s.teacher, s.method): s for s in study.students}
  assert set(taught) == {(name, method) for name in ("narrow", "wide") for method in ("TS", "ATS")}
  first, second = taught["narrow", "TS"].accuracies
  assert second == pytest.approx(first + 1)
  assert taught["wide", "TS"].alone == pytest.approx(8.5)
  probs = np.exp(wide.logits / 4)
  probs /= probs.sum(axis=-1, keepdims=True)
  assert taught["wide", "TS"].derived_average == pytest.approx(
    np.mean((1 - probs[np.arange(96), study.labels]) / 9), rel=1e-4
  )
  assert taught["wide", "TS"].seeds == (0, 1)
  assert taught["wide", "TS"].epochs == 0.5
  assert [(s.tau1, s.tau2) for s in study.grid] == [(4.0, 3.0), (5.0, 3.0)]
  assert study.grid[1].alone == pytest.approx(8.5)


def test_the_grid_reads_students_of_ats_only(config, tmp_path, monkeypatch):
  ((_, wide),) = plan.sources(config, tmp_path)
  for row in ("nokd", "kd", "ats", "isats"):
    entry = PhaseFolder.of(tmp_path, planning.student(wide.config, row, 0))
    entry.create()
    entry.finish({"test": {"accuracy": 0.5}})
  looked = []

  def label_means(config, row, *_):
    looked.append((row, config.ats.tau1, config.ats.tau2))
    return 0.1, 0.2

  monkeypatch.setattr(students, "_label_means", label_means)
  teacher = MeasuredTeacher("wide", np.zeros((4, 10)))
  (found,) = students.find(wide.config, tmp_path, teacher, LABELS, grid=True)
  assert (found.tau1, found.tau2, found.alone) == (4, 3, 50)
  assert looked == [("ats", 4, 3)]


def test_missing_students_are_trained_if_the_config_names_them(config, workdir, monkeypatch):
  monkeypatch.setattr(grid, "default", lambda _: {"ats.tau1": (2.0, 5.0), "ats.tau2": (1.0,)})
  config.analysis.stages = ()
  config.analysis.students = ("mlp",)
  config.analysis.grid = True
  config.rows = ("nokd", "isats")
  (study,) = trained.studies(config, workdir)
  taught = {(s.teacher, s.method): s for s in study.students}
  assert set(taught) == {("narrow", "ISATS"), ("wide", "ISATS")}
  assert [(s.teacher, s.tau1, s.tau2) for s in study.grid] == [("wide", 2, 1), ("wide", 5, 1)]
  ((_, wide),) = plan.sources(config, workdir)
  entry = PhaseFolder.of(workdir, planning.student(wide.config, "isats", 0))
  accuracy = 100 * entry.accuracy
  assert taught["wide", "ISATS"].accuracies == (accuracy,)
  assert taught["wide", "ISATS"].alone is not None

  # Finished students are not trained again. Without the option no student is trained.
  monkeypatch.setattr(queue, "train", None)
  (again,) = trained.studies(config, workdir)
  assert again.students == study.students
  config.analysis.students, config.analysis.grid = (), False
  config.rows = ("kd",)
  (again,) = trained.studies(config, workdir)
  assert again.students == study.students


def test_options_and_weights_belong_to_the_configs_student_only(config, tmp_path):
  file = tmp_path / "weights.safetensors"
  file.write_bytes(b"of the config's student")
  config.student.init_from = str(file)
  config.student.epochs = 3.0
  config.analysis.students = ("mlp", "resnet8")
  ((source, _),) = plan.sources(config, tmp_path)
  same, other = (planning.student(e, "kd", 0) for e in source.experiments)
  assert same.network["options"] == {"depth": 1, "width": 16}
  assert "init_from" in same.network
  # The options and the weights of the config are for another network.
  assert (other.network["name"], other.network["options"]) == ("resnet8", {})
  assert "init_from" not in other.network
  assert other.schedule["epochs"] == 3
  assert other.teachers == (source.entry.phase,)


def test_every_teacher_is_trained_under_every_seed(config, tmp_path):
  config.analysis.teachers.narrow.seed = 7
  config.analysis.teachers.narrow.epochs = 2.0
  config.data.train_share = 0.5
  config.analysis.seeds = (0, 1)
  by_seed = plan.sources(config, tmp_path)
  seeds = [[s.entry.phase.seed for s in sources] for sources in by_seed]
  assert seeds == [[0, 0], [1, 1]]
  config.analysis.seeds = ()
  ((narrow, wide),) = plan.sources(config, tmp_path)
  assert (wide.entry.phase.seed, narrow.entry.phase.seed) == (0, 7)
  assert narrow.entry.phase.schedule["epochs"] == 2
  about = trained._about("digits", 100, (wide, narrow))
  assert about.endswith("not augmented; wide: 0.5 epochs, seed 0; narrow: 2 epochs, seed 7.")
  assert list(trained._approximations(100, 90, (wide, narrow))) == [
    "trained on 50 % of the training split",
    "90 of the 100 examples",
    "the papers train 240 epochs",
  ]


def test_a_validation_split_is_named(config, tmp_path):
  config.data.validation = 0.1
  ((narrow, wide),) = plan.sources(config, tmp_path)
  assert trained._split((narrow, wide)) == "validation"
  found = list(trained._approximations(100, 100, (narrow, wide)))
  assert found[0] == "10 % of the training split held out to evaluate on"
  config.data.validation = 0.0
  ((whole, _),) = plan.sources(config, tmp_path)
  assert trained._split((whole,)) == "test"
  assert trained._split((narrow, whole)) == "test or validation"


def test_teachers_default_to_the_options_of_the_config(config, tmp_path):
  # Set after the teachers are added, as flags are.
  config.teacher.epochs = 20.0
  config.teacher.learning_rate = 0.1
  config.analysis.teachers.narrow.learning_rate = 0.2
  ((narrow, wide),) = plan.sources(config, tmp_path)
  for source, rate in ((wide, 0.1), (narrow, 0.2)):
    assert source.entry.phase.schedule["epochs"] == 20
    assert source.entry.phase.schedule["learning_rate"] == rate
  assert narrow.entry.phase.network["options"] == {"depth": 1, "width": 8}


def test_teachers_can_start_from_weights(config, tmp_path):
  file = tmp_path / "weights.safetensors"
  file.write_bytes(b"of some network")
  config.analysis.teachers.wide.init_from = str(file)
  ((narrow, wide),) = plan.sources(config, tmp_path)
  (early,) = plan.stages(wide, tmp_path)
  weights = [source.entry.phase.weights for source in (narrow, wide, early)]
  assert weights == ["", str(file), str(file)]


def test_a_given_network_has_no_stages(config, tmp_path):
  ((teacher, _),) = plan.sources(config, tmp_path)
  assert len(plan.stages(teacher, tmp_path)) == 1
  config.teacher.epochs = 0.0
  ((given, _),) = plan.sources(config, tmp_path)
  assert plan.stages(given, tmp_path) == []
  teacher.config.teacher.checkpoint = "somewhere"
  assert plan.stages(teacher, tmp_path) == []


def test_networks_with_given_weights_are_compared_as_they_are(
  analyse, config_file, tmp_path, monkeypatch
):
  monkeypatch.setattr(writeup.figures, "draw", lambda _: [])
  spec, expected = data.find("digits"), {}
  train, _ = data.load(spec)
  for number, name in enumerate(("one", "two")):
    shape = {"num_classes": 10, "image_size": 8, "in_channels": 1}
    model = models.create("mlp", **shape, rngs=nnx.Rngs(number))
    safetensors.numpy.save_file(weights.to_torch(model), tmp_path / f"{name}.safetensors")
    expected[name] = model(data.normalize(jnp.asarray(train.images), spec))
  networks = [f"--weights=mlp={tmp_path}/{name}.safetensors" for name in expected]
  folder = analyse(config_file, *networks)
  table = lines(folder / "teachers.csv")
  assert [line["network"] for line in table] == ["mlp", "mlp_two"]
  for line, logits in zip(table, expected.values(), strict=True):
    found = float(line["accuracy on these examples (%)"])
    assert found == pytest.approx(100 * np.mean(np.argmax(logits, axis=1) == train.labels))
  said = (folder / "report.md").read_text()
  assert "mlp: given, not trained, one.safetensors; mlp_two: given, not trained, two" in said


def test_every_network_and_file_has_a_title_of_its_own(config):
  files = ("a/m.pth", "b/m.pth", "c/m.pth", "d/m.pth", "m_2.pth")
  plan.give_weights(config, [*(f"mlp={file}" for file in files), "my.nets:Net=a.pth"])
  teachers = config.analysis.teachers
  titles = ["mlp", "mlp_m", "mlp_m_2", "mlp_m_3", "mlp_m_2_2", "my_nets_Net"]
  assert sorted(teachers) == sorted(titles)
  assert [teachers[title].init_from for title in titles] == [*files, "a.pth"]
  assert teachers.my_nets_Net.name == "my.nets:Net"
  with pytest.raises(ConfigError, match=r"--weights names 'mlp=b/m.pth' twice"):
    plan.give_weights(config, ["mlp=a/m.pth", "mlp=b/m.pth", "mlp=b/m.pth"])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
  """Returns the printed report of hand-made logits, and its folder."""
  place = tmp_path_factory.mktemp("saved")
  files = {"small": SMALL, "middle": LARGE, "large": LARGE}
  for name, probs in files.items():
    np.savez(
      place / name,
      logits=logits(probs),
      labels=LABELS,
      features=np.eye(4, 2) + 1.0,
      class_names=np.array(["<cat>", "dog", "owl"]),
    )
  argv = [f"--workdir={place}", "--k=2"]
  argv += ["--logits=" + ",".join(f"{place / name}.npz" for name in files)]
  printed = run(argv)
  (folder,) = place.glob("analysis-small-middle-large-*")
  return printed, folder


def test_saved_logits_give_the_known_ratio_of_variances(report):
  printed, folder = report
  assert (
    "large compared with small: the larger teacher's wrong-class probabilities are "
    "4.0 times less distinct at τ = 4 (its derived variance is lower on 100 % of the "
    "examples; the smaller teacher's median is 4.00 times the larger one's)."
  ) in printed
  assert (
    "The two teachers order the classes alike: Spearman's ρ 1.00, Kendall's τ 1.00, 2.0 "
    "of the top 2 classes in common."
  ) in printed
  assert (
    "large compared with middle: the larger teacher's wrong-class probabilities are "
    "as distinct as the smaller teacher's"
  ) in printed
  assert "derived variance does not clearly fall from middle to large" in printed
  ratios = [float(line["times less distinct"]) for line in lines(folder / "pairs.csv")]
  assert ratios == pytest.approx([4, 4, 1], rel=1e-4)
  for name in ("fig1", "fig2", "fig3", "fig5", "fig6", "ats-fig7"):
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / f"{name}.csv").exists()


def test_figures_that_are_not_drawn_are_listed(report):
  _, folder = report
  markdown = (folder / "report.md").read_text()
  _, _, said = markdown.partition("## Not drawn\n")
  page = (folder / "report.html").read_text()
  for title in ("Fig. 7", "Table 1", "Fig. 8", "Fig. 9 over training"):
    assert f"- {title}" in said
    assert f"<li>{title}" in page
  assert "--config.analysis.students=NAME" in said
  # Every figure of the papers is either drawn or listed as missing.
  names = [f"fig{number}" for number in range(1, 10)]
  for name in [*names, "ats-fig3", "ats-fig7", "ats-fig10"]:
    title = name.replace("ats-fig", "ATS paper, Fig. ").replace("fig", "Fig. ")
    drawn = any(folder.glob(f"{name}*.png"))
    assert drawn or f"- {title}" in said


class Page(html.parser.HTMLParser):
  """Collects the cells of tables, and the addresses that a browser would fetch."""

  def __init__(self, text):
    super().__init__()
    self.cells, self.addresses, self.tags = [], [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    values = dict(attrs)
    self.tags.append(tag)
    if tag == "td":
      self.cells.append(values["data-value"])
    for key in ("src", "href", "xlink:href", "action", "data"):
      if key in values:
        self.addresses.append(values[key])


def test_the_page_refers_to_its_own_files_and_agrees_with_the_tables(report):
  page = report[1] / "report.html"
  text = page.read_text()
  found = Page(text)
  assert found.tags.count("svg") == len(list(page.parent.glob("*.svg"))) >= 7
  for address in found.addresses:
    # A mark in the page, a picture in the page, or a file beside the page.
    assert address.startswith(("#", "data:")) or (page.parent / address).exists()
  written = [
    cell
    for name in ("teachers", "pairs", "temperatures", "guidance")
    for line in lines(page.parent / f"{name}.csv")
    for cell in line.values()
  ]
  assert found.cells == written
  assert "<cat>" not in text
  assert "</html>" in text


BROWSER = next(
  filter(
    None,
    map(
      shutil.which,
      (
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
        "chrome-headless-shell",
      ),
    ),
  ),
  "",
)


@pytest.mark.skipif(not BROWSER, reason="neither Chromium nor Chrome on PATH")
def test_a_browser_sorts_the_tables_and_fetches_nothing(report, tmp_path):
  def render(addition):
    copy = tmp_path / "page.html"
    text = (report[1] / "report.html").read_text()
    copy.write_text(text.replace("</body>", addition + "</body>"))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    options += ["--disable-dev-shm-usage", "--enable-logging=stderr"]
    ran = subprocess.run(
      [BROWSER, *options, f"--user-data-dir={tmp_path}", copy.as_uri()],
      capture_output=True,
      text=True,
      check=True,
      timeout=120,
    )
    return ran.stdout, "CONSOLE" in ran.stderr

  # Sorts the pairs by how much less distinct they are, twice: falling.
  page, complained = render(
    "<script>const head = document.querySelectorAll('table')[1]"
    ".querySelectorAll('th button')[2]; head.click(); head.click();"
    "document.title = [...head.closest('table').tBodies[0].rows]"
    ".map((line) => line.cells[2].textContent).join(' ') + ', pictures: ' +"
    "[...document.querySelectorAll('figure svg')]"
    ".filter((svg) => svg.getBoundingClientRect().height > 100).length"
    "</script>"
  )
  pictures = len(list(report[1].glob("*.svg")))
  assert f"<title>4 4 1, pictures: {pictures}</title>" in page
  assert 'aria-sort="descending"' in page
  assert not complained
  # The browser would complain about a picture from the network.
  _, complained = render('<img src="http://127.0.0.1:9/picture.png">')
  assert complained


@pytest.mark.parametrize(
  ("arrays", "message"),
  [
    ({"logits": np.ones((4, 2))}, "logits of shape (4, 2), but a has (4, 3)"),
    (
      {"logits": np.full((4, 3), np.nan)},
      "b: logits: 4 of 4 examples are not finite, the first is number 0",
    ),
    ({"logits": np.full((4, 3), 1e300)}, "b: logits: 4 of 4 examples are not finite"),
    (
      {"logits": np.full((4, 3), 1 / 3, np.float16)},
      "b.npz: logits are probabilities, rows in [0, 1] that sum to 1; save the network",
    ),
    (
      {"logits": np.ones((4, 3)), "labels": np.array([0, 1, 2, 1])},
      "the labels of b differ from those of a",
    ),
    ({"labels": LABELS}, "b.npz has no array 'logits'; its arrays are: labels"),
    (
      {"logits": np.array([{}] * 4)},
      "b.npz is not a sound .npz file: it has Python objects, which are never loaded",
    ),
    ({"logits": np.full((4, 3), "1")}, "b.npz: logits are of type <U1, must be numbers"),
    ({"logits": np.ones((4, 3)), "features": np.ones(4)}, "b: features must be [N, D], not (4,)"),
    (
      {"logits": np.ones((4, 3)), "class_names": np.array(["x", "y"])},
      "b: 2 class_names for 3 classes",
    ),
  ],
)
def test_bad_arrays_are_refused_in_one_line(arrays, message, analyse, save, capsys):
  files = save("a.npz", logits=logits(SMALL)), save("b.npz", **arrays)
  with pytest.raises(SystemExit) as ended:
    analyse("--logits=" + ",".join(files), "--k=3")
  assert ended.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith("jaxkd: ")
  assert message in line


@pytest.mark.parametrize(
  ("arrays", "message"),
  [
    ({"logits": np.ones((4, 1)), "labels": np.zeros(4, int)}, "one class only"),
    (
      {"logits": logits(SMALL), "labels": LABELS + 1},
      "label 3 of example 2 is outside the 3 classes",
    ),
    ({"logits": logits(SMALL), "labels": LABELS * 1.0}, "labels must be integers, not float64"),
    (
      {"logits": logits(SMALL), "labels": np.zeros(4, int), "features": np.ones((4, 2))},
      "all labels are 0: angles between classes need two classes",
    ),
  ],
)
def test_bad_studies_are_refused_in_one_line(arrays, message, analyse, save, capsys):
  files = save("a.npz", **arrays), save("b.npz", **arrays)
  with pytest.raises(SystemExit):
    analyse("--logits=" + ",".join(files))
  (line,) = capsys.readouterr().err.splitlines()
  assert message in line


def test_k_is_at_most_the_number_of_classes(analyse, save, monkeypatch):
  monkeypatch.setattr(writeup.figures, "draw", lambda _: [])
  files = (save("a.npz", logits=logits(SMALL)), save("b.npz", logits=logits(LARGE)))
  folder = analyse("--logits=" + ",".join(files))
  (pair,) = lines(folder / "pairs.csv")
  assert float(pair["rank set overlap, K = 3"]) == 1


def test_the_grid_of_saved_logits_can_be_widened(analyse, save, monkeypatch):
  monkeypatch.setattr(writeup.figures, "draw", lambda _: [])
  files = (save("a.npz", logits=logits(SMALL)), save("b.npz", logits=logits(LARGE)))
  folder = analyse("--logits=" + ",".join(files), "--isats_grid=1,4,16")
  table = lines(folder / "temperatures.csv")
  assert [*table[0]] == ["network", "τ* = 1", "τ* = 4", "τ* = 16"]


def test_different_analyses_have_different_folders(save):
  def folder(large, **changed):
    files = save("a.npz", logits=logits(SMALL)), save("b.npz", logits=large)
    return writeup._folder(saved.read(files), Settings(**changed))

  large = logits(LARGE)
  names = [
    folder(large),
    folder(large + np.eye(4, 3)),
    folder(large, tau=2.0),
    folder(large, k=3),
    folder(large, grid=(1.0, 2.0)),
  ]
  assert len(set(names)) == len(names)
  assert folder(large) == names[0]
  study = saved.read([save("a.npz", logits=large), save("b.npz", logits=large)])
  fewer = study._replace(labels=study.labels[:3])
  assert writeup._folder(fewer, Settings()) != writeup._folder(study, Settings())


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["--logits=a.npz"], "--logits names one file"),
    (["--logits=a.npz,a.npz"], "--logits names a file twice"),
    (["--logits=a.npz,b.npz"], "can't read a.npz: No such file"),
    (["--logits=text,text.npy"], "text is not a sound .npz file"),
    (["--logits=text.npy,text"], "text.npy holds one array"),
    (["--logits=half.npz,text"], "half.npz is not a sound .npz file"),
    (["--logits=a.npz,b.npz", "now"], "'now' is not a flag"),
    (["--logits=a.npz,b.npz", "--k=x"], "--k=x"),
    (["CONFIG", "--weights=mlp=a.pth"], "a comparison needs two networks or more"),
    (["CONFIG", "--weights=mlp=a.pth", "--weights=mlp"], "'mlp', must be NETWORK=FILE"),
    (["CONFIG", "--weights=mlpp=b.pth", "--weights=resnet8=a.pth"], "did you mean 'mlp'?"),
    (["CONFIG", "--weights=mlp=a.pth", "--weights=resnet8=b.pth"], "a.pth"),
    (
      ["CONFIG", "--weights=mlp=a", "--weights=mlp=b", "--config.analysis.teachers.wide.epochs=2"],
      "config.analysis.teachers.wide.epochs has no effect here: --weights gives the networks",
    ),
    (["--logits=a.npz,b.npz", "--weights=mlp=a.pth"], "--logits and --weights exclude each other"),
    (["CONFIG", "--isats_grid=1,x"], "--isats_grid is '1,x', must be ascending temperatures"),
    (["CONFIG", "--isats_grid=2,1"], "--isats_grid is '2,1', must be ascending temperatures"),
    (["CONFIG", "--isats_grid=0,1"], "its temperatures must be from 0.0001 to 10000"),
    (["--logits=a.npz,b.npz", "CONFIG"], "exclude each other"),
    ([], "--config is missing"),
    (["CONFIG", "--k=11"], "k = 11; it must be from 1 to the 10 classes"),
    (["CONFIG", "--tau=-1"], "tau = -1.0; it must be > 0"),
    (["CONFIG", "--config.analysis.examples=1"], "must be at least 2"),
    (["CONFIG", "--config.analysis.seeds=0,0"], "each once"),
    (["CONFIG", "--config.analysis.seeds=0.5,1"], "must be integers in"),
    (["CONFIG", "--config.analysis.stages=0.5,0.1"], "ascending in (0, 1)"),
    (
      ["CONFIG", "--config.analysis.teachers.wide.epochs=0"],
      "config.analysis.teachers.wide: config.teacher.epochs is 0.0",
    ),
    (["CONFIG", "--config.analysis.students=mpl,resnet8"], "'mpl', must be one of "),
    (["CONFIG", "--config.analysis.students=mpl"], "did you mean 'mlp'?"),
    (["CONFIG", "--config.analysis.students=mlp,mlp"], "must be without repetitions"),
    (
      ["CONFIG", "--config.analysis.students=mlp", "--config.rows=kd,regt"],
      "'regt' of config.analysis.students must be one of nokd, kd, ats, isats",
    ),
    (
      ["CONFIG", "--config.analysis.students=mlp", "--config.rows=kd,istas"],
      "did you mean 'isats'?",
    ),
    (
      ["CONFIG", "--config.analysis.students=mlp", "--config.student.name=mlp"],
      "config.student.name has no effect here: the networks are those of config.analysis.students",
    ),
    (
      ["CONFIG", "--config.analysis.students=wide_resnet50_2"],
      "config.analysis.students, wide_resnet50_2: ",
    ),
    (["CONFIG", "--config.analysis.grid=True"], "config.analysis.students is"),
    (
      ["CONFIG", "--config.teacher.options.width=8"],
      "config.teacher.options.width has no effect here",
    ),
    (["CONFIG", "--config.teacher.epochs=0"], "config.teacher.epochs is 0.0, must be > 0"),
    (["CONFIG", "--config.analysis.teachers.wide.name=mpl"], "did you mean 'mlp'"),
    (
      ["CONFIG", "--config.analysis.teachers.wide.checkpoint=nowhere"],
      "nowhere is not the folder of a phase",
    ),
  ],
)
def test_a_mistake_is_refused_in_one_line(
  argv, message, analyse, config_file, tmp_path, capsys, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  pathlib.Path("text").write_text("no archive")
  np.save("text.npy", np.ones(3))
  np.savez("whole.npz", logits=np.ones((100, 3)))
  pathlib.Path("half.npz").write_bytes(pathlib.Path("whole.npz").read_bytes()[:200])
  with pytest.raises(SystemExit) as ended:
    analyse(*(config_file if arg == "CONFIG" else arg for arg in argv))
  assert ended.value.code == 2
  assert not (tmp_path / "runs").exists()
  (line,) = capsys.readouterr().err.splitlines()
  assert message in line


def test_an_unknown_option_of_a_teacher_is_refused(config):
  with config.unlocked():
    config.analysis.teachers.wide.epoch = 3
  with pytest.raises(ConfigError, match=r"teachers\.wide has 'epoch'.*'epochs'"):
    plan.validate(config)


def test_a_config_without_teachers_is_refused(analyse, capsys):
  root = pathlib.Path(analyze.__file__).parent.parent
  with pytest.raises(SystemExit):
    analyse(f"--config={root}/configs/digits_isats.py")
  (line,) = capsys.readouterr().err.splitlines()
  assert "config.analysis.teachers must have two networks or more" in line
