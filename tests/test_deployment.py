"""From a user's photographs to a report by class, an exported file, and `jaxkd classify`."""

import csv
import json
import re
import shutil
import zlib

import jax
import numpy as np
import photographs
import pytest
import safetensors
from flax import nnx
from PIL import Image

import jaxkd
from jaxkd import classify, export
from jaxkd.models import weights
from jaxkd.reports import card, tables
from jaxkd.reports import experiment as report
from jaxkd.runs import exporting, planning, predictor, teachers
from jaxkd.runs.experiment import Experiment, run
from jaxkd.training import sharding


@pytest.fixture(scope="module")
def own(make_tiny_config, tmp_path_factory):
  """An experiment on a folder of photographs: a teacher, and two students that learn from it."""
  folder = tmp_path_factory.mktemp("own")
  config = make_tiny_config()
  config.data.name = "folder"
  config.data.data_dir = str(photographs.write(folder / "my photos"))
  config.data.batch_size = 8
  config.rows, config.seeds = ("kd",), (0, 1)
  config.teacher.epochs = config.student.epochs = 4.0
  config.run.eval_every_epochs = 4.0
  # At a higher rate the residual student of a test diverges.
  config.student.learning_rate = 1e-4
  with pytest.MonkeyPatch.context() as patch:
    photographs.shrink(patch)
    one = Experiment.of(config, folder / "runs")
    assert not run([one])
    yield one


@pytest.fixture(scope="module")
def student(own):
  return own.folder(own.students[0])


@pytest.fixture(scope="module")
def pixels():
  return (
    np.random.default_rng(0)
    .integers(0, 256, (3, photographs.SIZE, photographs.SIZE, 3))
    .astype(np.uint8)
  )


def lines_of(file):
  with open(file, newline="") as opened:
    return [*csv.DictReader(opened)]


def test_the_evaluation_by_class_agrees_with_the_accuracy(own, student):
  found = student.evaluation()
  assert found.split == "test"
  assert found.examples.tolist() == [5, 5, 5]
  assert found.matrix.sum(axis=1).tolist() == [5, 5, 5]
  assert found.correct.sum() / 15 == pytest.approx(student.accuracy)
  # Otherwise the tests below compare little.
  assert 0 < found.correct.sum() < 15
  assert found.images_per_second > 0


def test_the_report_has_the_accuracy_of_each_class_for_student_and_teacher(own):
  folder = report.write(own)
  (teacher,) = own.students[0].teachers
  lines = lines_of(folder / "classes.csv")
  assert [line["class"] for line in lines] == list(photographs.CLASSES)
  expected = own.folder(teacher).evaluation().correct / 5
  found = [float(line["teacher of kd"]) for line in lines]
  np.testing.assert_allclose(found, 100 * expected)
  expected = sum(own.folder(phase).evaluation().correct for phase in own.students) / 10
  np.testing.assert_allclose([float(line["kd"]) for line in lines], 100 * expected)
  cells = lines_of(folder / "confusion.csv")
  assert sum(int(cell["images"]) for cell in cells if cell["network"] == "kd") == 30
  assert (folder / "confusion.png").exists()
  page = (folder / "report.html").read_text()
  assert "Most frequent confusions" in page
  # The page leads to the folder of every phase.
  for phase in planning.with_teachers(own.students):
    assert f'href="../{phase.folder}/"' in page
    assert (folder / ".." / phase.folder).is_dir()
  assert "moth&#x27;s wing" in page


def test_the_report_has_size_and_speed_of_student_and_teacher(own):
  teacher, student = lines_of(report.write(own) / "sizes.csv")
  assert (teacher["network of"], student["network of"]) == ("teacher of kd", "kd")
  # Two layers, and biases of the width and of the classes.
  pixels = photographs.SIZE**2 * 3
  weights = pixels * 16 + 16 * 3
  assert int(student["parameters"]) == weights + 16 + 3
  assert float(student["MB"]) == pytest.approx(4 * (weights + 16 + 3) / 1e6)
  # A multiplication and an addition for each weight, and the normalisation of the pixels.
  operations = 1e6 * float(student["MFLOPs an image"])
  assert 2 * weights <= operations <= 2 * weights + 5 * pixels
  assert float(teacher["MFLOPs an image"]) > 1.5 * operations / 1e6
  assert float(student["images/s"]) > 0
  assert "CPU core" in student["measured on"]


def test_a_phase_of_an_earlier_version_is_named_in_the_report(own, tmp_path, capsys):
  copy = tmp_path / "runs"
  shutil.copytree(own.workdir, copy)
  one = Experiment.of(own.config, copy)
  (teacher,) = one.students[0].teachers
  (one.folder(teacher).path / "evaluation.json").unlink()
  folder = report.write(one)
  text = (folder / "report.md").read_text()
  assert "No accuracy by class of teacher of kd: an earlier version" in text
  assert "teacher of kd" not in lines_of(folder / "classes.csv")[0]
  assert "damaged" not in capsys.readouterr().err
  (one.folder(one.students[1]).path / "evaluation.json").write_text("{")
  text = (report.write(one) / "report.md").read_text()
  assert "No accuracy by class of teacher of kd, kd: an earlier version" in text
  assert "evaluation.json is damaged" in capsys.readouterr().err


def classified(capsys, *argv, status=0):
  """Runs the command; returns its lines on stdout and on stderr."""
  if status:
    with pytest.raises(SystemExit) as ended:
      classify.main([*map(str, argv)])
    assert ended.value.code == status
  else:
    classify.main([*map(str, argv)])
  said = capsys.readouterr()
  return said.out.splitlines(), said.err.splitlines()


def test_classify_finds_the_classes_that_the_evaluation_found(own, student, tmp_path, capsys):
  found, told = tmp_path / "found.csv", tmp_path / "found.json"
  matrix = np.zeros((3, 3), int)
  for label, name in enumerate(photographs.CLASSES):
    images = f"{own.config.data.data_dir}/test/{name}"
    flags = [f"--csv={found}", f"--json={told}"]
    table, errors = classified(capsys, student.path, images, *flags)
    assert errors == [f"Written: {found}", f"Written: {told}"]
    assert len(table) == 2 + 5
    best = [line["class"] for line in lines_of(found) if line["rank"] == "1"]
    for predicted in best:
      matrix[label, photographs.CLASSES.index(predicted)] += 1
    entries = json.loads(told.read_text())
    assert [entry["classes"][0]["class"] for entry in entries] == best
    for entry in entries:
      assert sum(each["probability"] for each in entry["classes"]) == pytest.approx(1, abs=1e-5)
  np.testing.assert_array_equal(matrix, student.evaluation().matrix)


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_classified(
  own, student, tmp_path, capsys
):
  bad = tmp_path / "bad.jpg"
  bad.write_bytes(b"%PDF-1.7")
  good = f"{own.config.data.data_dir}/test/fly/IMG_0001.JPG"
  table, errors = classified(capsys, student.path, bad, good, "absent.png", "--top=1", status=2)
  assert len(table) == 3
  assert errors == [
    f"jaxkd: {bad} is not a readable image: it is a PDF document",
    "jaxkd: absent.png can't be read: No such file or directory",
    "jaxkd: 2 of 3 images were not classified",
  ]


@pytest.mark.parametrize(
  ("network", "images", "message"),
  [
    ("absent", "a.jpg", "absent: no such file or folder"),
    ("student.onnx", "a.jpg", "or a .safetensors or .stablehlo file of jaxkd export"),
    ("plain.safetensors", "a.jpg", "was not written by jaxkd export, or by an earlier version"),
    ("damaged.safetensors", "a.jpg", "can't read"),
    ("network.safetensors", "a.jpg", "has the user's own network 'os:system'"),
    ("objective.safetensors", "a.jpg", "has the user's own method 'os:system'"),
    (
      "damaged.stablehlo",
      "a.jpg",
      "damaged.stablehlo is damaged, or damaged.stablehlo.json belongs to another program",
    ),
    ("student", "empty", "empty has no images"),
    ("student", "a.jpg --csv=empty", "can't write empty: it is a folder"),
    ("student", "a.jpg --csv=absent/a.csv", "can't write absent/a.csv: there is no folder absent"),
    ("student", "a.jpg --json=damaged.stablehlo", "exists, and jaxkd classify did not write it"),
    ("student", "a.jpg --csv=./a --json=a", "--json is a, must be another file than --csv"),
    ("student", "a.jpg --top=0", "--top is 0, must be at least 1"),
  ],
)
def test_a_mistake_is_refused_in_one_line(
  student, network, images, message, tmp_path, capsys, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  about = exporting.describe(student)
  tensors = {"x": np.zeros(1, np.float32)}
  weights.write("plain.safetensors", tensors)
  for part in ("network", "objective"):
    phase = about["phase"] | {part: {**about["phase"][part], "name": "os:system"}}
    texts = {name: json.dumps(value) for name, value in (about | {"phase": phase}).items()}
    weights.write(f"{part}.safetensors", tensors, texts)
  (tmp_path / "damaged.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
  (tmp_path / "damaged.stablehlo.json").write_text(json.dumps(about))
  (tmp_path / "damaged.stablehlo").write_bytes(b"abc")
  (tmp_path / "student.onnx").touch()
  (tmp_path / "empty").mkdir()
  phase = student.path if network == "student" else network
  table, (line,) = classified(capsys, phase, *images.split(), status=2)
  assert not table
  assert line.startswith("jaxkd: ")
  assert message in line


def test_files_of_a_folder_that_are_no_images_are_named(own, student, tmp_path, capsys):
  shutil.copytree(f"{own.config.data.data_dir}/test/fly", tmp_path / "new")
  (tmp_path / "new" / "notes.txt").touch()
  table, (line,) = classified(capsys, student.path, tmp_path / "new")
  assert len(table) == 2 + 5
  assert "1 file is skipped" in line
  assert "notes.txt" in line


def test_exports_of_equal_weights_are_equal_and_changed_weights_are_refused(
  own, student, tmp_path, capsys
):
  first = exported(student, tmp_path / "student.safetensors").read_bytes()
  out = exported(student, tmp_path / "student.safetensors")
  assert out.read_bytes() == first
  changed = weights.read(out)
  name = min(changed)
  changed[name] = changed[name] + 1
  weights.write(out, changed, weights.metadata(out))
  capsys.readouterr()
  _, (line,) = classified(capsys, out, f"{own.config.data.data_dir}/test", status=2)
  assert "the checksum of the weights" in line


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("foreign.safetensors", "it exists, and jaxkd export did not write it; choose another name"),
    ("foreign.stablehlo", "it exists, and jaxkd export did not write it; choose another name"),
    ("noted.safetensors", "noted.safetensors.md: it exists, and jaxkd export did not write it"),
    ("folder.onnx", "it is a folder"),
    ("absent/student.onnx", "there is no folder"),
  ],
)
def test_a_target_that_is_no_export_is_refused_and_kept(student, tmp_path, capsys, name, message):
  weights.write(tmp_path / "foreign.safetensors", {"x": np.zeros(1, np.float32)})
  (tmp_path / "foreign.stablehlo").write_bytes(b"abc")
  (tmp_path / "noted.safetensors.md").write_text("My notes")
  (tmp_path / "folder.onnx").mkdir()
  before = {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
  with pytest.raises(SystemExit):
    exported(student, tmp_path / name)
  assert message in capsys.readouterr().err
  assert before == {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}


def exported(student, out, *flags):
  export.main([str(student.path), str(out), *flags])
  return out


def described(student):
  """Returns the description of an exported file, after its way through JSON."""
  return json.loads(json.dumps(exporting.describe(student)))


def expected_logits(student, pixels):
  """Returns the logits of an mlp in float64, from its weights."""
  state = weights.to_torch(model_of(student))
  layers = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
  spec = planning.spec_of(student.phase)
  x = (pixels.astype(np.float64) / 255 - spec.mean) / spec.std
  x = x.reshape(len(pixels), -1)
  for position, layer in enumerate(sorted(layers, key=lambda name: -state[f"{name}.weight"].size)):
    x = np.maximum(x, 0) if position else x
    x = x @ state[f"{layer}.weight"].T.astype(np.float64) + state[f"{layer}.bias"]
  return x


def model_of(student):
  model = planning.network(student.phase)
  nnx.update(model, *teachers.load_network(student, sharding.mesh())[1])
  return model


def test_exported_weights_have_the_logits_and_the_description(student, tmp_path, pixels):
  out = exported(student, tmp_path / "student.safetensors")
  read = predictor.open_file(out)
  assert read.class_names == photographs.CLASSES
  expected = expected_logits(student, pixels)
  np.testing.assert_allclose(read.logits(pixels), expected, rtol=1e-4, atol=1e-4)
  with safetensors.safe_open(out, framework="np") as file:
    texts = {name: json.loads(text) for name, text in file.metadata().items() if name != "format"}
  assert texts["class_names"] == list(photographs.CLASSES)
  assert texts["input"]["size"] == photographs.SIZE
  assert texts["input"]["resize_shorter_side"] == photographs.RESIZED
  assert texts["input"]["mean"] == [0.485, 0.456, 0.406]
  origin = texts["provenance"]
  assert origin["phase"] == student.phase.folder
  assert origin["method"] == "kd"
  assert origin["teachers"] == [student.phase.teachers[0].folder]
  assert origin["accuracy"] == student.accuracy
  assert origin["jaxkd"] == jaxkd.__version__


def test_an_exported_program_gives_the_logits_for_any_number_of_images(
  student, tmp_path, pixels, own, capsys
):
  pytest.importorskip("flatbuffers")
  out = exported(student, tmp_path / "student.stablehlo")
  program = jax.export.deserialize(bytearray(out.read_bytes()))
  expected = expected_logits(student, pixels)
  for count in (1, 3):
    logits = program.call(pixels[:count])
    np.testing.assert_allclose(logits, expected[:count], rtol=1e-4, atol=1e-4)
  assert "tpu" in program.platforms
  fields = json.loads((tmp_path / "student.stablehlo.json").read_text())
  checksum = fields.pop(predictor.CHECKSUM)
  assert fields == described(student)
  # A command classifies with it as with the phase.
  images = f"{own.config.data.data_dir}/test"
  capsys.readouterr()
  assert classified(capsys, out, images) == classified(capsys, student.path, images)
  for content, stated, message in (
    (out.read_bytes(), checksum ^ 1, "student.stablehlo.json belongs to another program"),
    (b"abc", zlib.crc32(b"abc"), "student.stablehlo is damaged or no program of jaxkd export"),
  ):
    out.write_bytes(content)
    text = json.dumps(fields | {predictor.CHECKSUM: stated})
    (tmp_path / "student.stablehlo.json").write_text(text)
    _, (line,) = classified(capsys, out, images, status=2)
    assert message in line


def test_an_onnx_file_gives_the_logits_for_any_number_of_images(student, tmp_path, pixels):
  pytest.importorskip("jax2onnx", reason="the extra onnx is not installed")
  onnx = pytest.importorskip("onnx")
  reference = pytest.importorskip("onnx.reference")
  out = exported(student, tmp_path / "student.onnx")
  model = onnx.load(out)
  onnx.checker.check_model(model)
  runner = reference.ReferenceEvaluator(model)
  expected = expected_logits(student, pixels)
  for count in (1, 3):
    (logits,) = runner.run(["logits"], {"images": pixels[:count]})
    np.testing.assert_allclose(logits, expected[:count], rtol=1e-4, atol=1e-4)
  texts = {each.key: json.loads(each.value) for each in model.metadata_props}
  assert texts == described(student)


def test_the_model_card_has_data_teacher_method_accuracy_classes_and_licence(student, tmp_path):
  exported(student, tmp_path / "student.safetensors", "--licence=CC BY-NC 4.0")
  text = (tmp_path / "student.safetensors.md").read_text()
  assert text.startswith('---\nlibrary_name: jaxkd\nlicense: "CC BY-NC 4.0"\n---\n\n# student')
  facts = dict(
    map(str.strip, line.strip("|").split("|", 1)) for line in text.splitlines() if "|" in line
  )
  assert facts["data"] == "folder, 3 classes, 18 train images, 15 test images"
  assert facts["method"].startswith("kd (lam 0.5, tau 4")
  assert facts["teachers"] == tables.escaped(student.phase.teachers[0].folder)
  assert facts["accuracy"] == f"{student.accuracy:.2%} on the test split"
  right = student.evaluation().correct[1] / 5
  assert [float(cell) for cell in facts["fly"].split("|")] == [5, 100 * right]


def test_the_card_of_an_unfinished_phase_claims_no_accuracy(student, tmp_path):
  copy = shutil.copytree(student.path, tmp_path / "unfinished")
  (copy / "result.json").unlink()
  export.main([str(copy), str(tmp_path / "early.safetensors")])
  text = (tmp_path / "early.safetensors.md").read_text()
  assert "The accuracy by class is not known." in text
  assert "Käfer (2019), fly, moth's wing" in text
  assert card.UNKNOWN in text
  assert re.search(rf"unfinished: step (\d+) of {max(student.steps)}", text)[1] == str(
    max(student.steps)
  )


def test_the_card_of_given_weights_claims_nothing_of_their_training(student, tmp_path):
  about = exporting.describe(student)
  about["phase"] |= {"schedule": about["phase"]["schedule"] | {"epochs": 0}}
  text = card.text(tmp_path / "given.safetensors", about, None)
  assert re.search(r"\| method +\| given, not trained +\|", text)
  assert text.count("| not known") == 2
  assert "Program" not in text


def test_a_damaged_evaluation_is_named_before_a_file_is_written(student, tmp_path, capsys):
  copy = shutil.copytree(student.path, tmp_path / "damaged")
  (copy / "evaluation.json").write_text("{")
  out = tmp_path / "out.safetensors"
  with pytest.raises(SystemExit):
    export.main([str(copy), str(out)])
  assert "evaluation.json is damaged" in capsys.readouterr().err
  assert not out.exists()


def test_a_teacher_with_another_order_of_classes_is_left_out_of_the_table(own, monkeypatch):
  (teacher,) = own.students[0].teachers
  swapped = [*reversed(photographs.CLASSES)]
  monkeypatch.setitem(teacher.data, "class_names", swapped)
  folder = report.write(own)
  assert {*lines_of(folder / "classes.csv")[0]} == {"class", "images", "kd"}
  assert "it was evaluated on other images or classes" in (folder / "report.md").read_text()


def test_a_file_is_classified_upright_and_by_its_middle(student, tmp_path, capsys):
  # The sides of a wide image are cut off, and EXIF turns it.
  pixels = np.random.default_rng(1).integers(0, 256, (40, 90, 3)).astype(np.uint8)
  wide, turned = tmp_path / "wide.png", tmp_path / "turned.png"
  Image.fromarray(pixels).save(wide)
  picture = Image.fromarray(np.rot90(pixels, 1))
  exif = picture.getexif()
  exif[0x0112] = 6  # turn by 90 degrees clockwise
  picture.save(turned, exif=exif)
  table, _ = classified(capsys, student.path, wide, turned)
  first, second = (line.split("|")[2:] for line in table[2:])
  assert first == second


def test_a_network_that_predicts_with_its_teachers_is_classified_with_them(own, tmp_path, capsys):
  config = own.config.copy_and_resolve_references()
  config.rows, config.seeds = ("reskd",), (0,)
  one = Experiment.of(config, own.workdir)
  assert not run([one])
  residual = one.folder(one.students[0])
  matrix = np.zeros((3, 3), int)
  for label, name in enumerate(photographs.CLASSES):
    table, _ = classified(capsys, residual.path, f"{config.data.data_dir}/test/{name}", "--top=1")
    for line in table[2:]:
      best = line.split("|")[2].strip().rpartition(" ")[0]
      matrix[label, photographs.CLASSES.index(best)] += 1
  np.testing.assert_array_equal(matrix, residual.evaluation().matrix)
  out = tmp_path / "residual.safetensors"
  assert described(residual)["provenance"]["accuracy"] == residual.accuracy
  # The weights alone are the residual student's.
  exported(residual, out)
  assert json.loads(weights.metadata(out)["provenance"])["accuracy"] is None
  card_text = (tmp_path / "residual.safetensors.md").read_text()
  assert "residual weights, which predict together with their teachers" in card_text
  capsys.readouterr()
  _, (line,) = classified(capsys, out, f"{config.data.data_dir}/test/fly", status=2)
  assert "predicts with its teachers" in line
