"""`jaxkd.prepare` and the package's own builders."""

import contextlib
import dataclasses
import gzip
import hashlib
import io
import pathlib
import sys
import tarfile
import zipfile

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.io
import stripes
from foreign_files import assert_read_or_refused, assert_refused, damaged, fuzzed
from PIL import Image
from tensorflow_datasets.core.download import downloader

from jaxkd import data, prepare
from jaxkd.data import builders, contents, preparation
from jaxkd.data.builders import files as builder_files
from jaxkd.data.builders import syn_digits


def _run(monkeypatch, capfd, *args):
  """Runs the command; returns its exit status and lines on stderr."""
  monkeypatch.setattr(sys, "argv", ["prepare", *map(str, args)])
  with pytest.raises(SystemExit) as error:
    prepare.main()
  lines = capfd.readouterr().err.splitlines()
  return error.value.code, [line for line in lines if line.startswith("jaxkd: ")]


def test_the_nearest_name_is_suggested(monkeypatch, capfd):
  status, (line,) = _run(monkeypatch, capfd, "cifar1000")
  assert status == 2
  assert "did you mean 'cifar100'?" in line


@pytest.mark.parametrize(
  ("name", "ours"),
  [("svhn_cropped", "svhn"), ("caltech_birds2011", "cub"), ("stanford_dogs", "dogs")],
)
def test_a_name_of_tfds_is_answered_with_the_name_used_here(monkeypatch, capfd, name, ours):
  status, (line,) = _run(monkeypatch, capfd, name)
  assert status == 2
  assert line == f"jaxkd: data set {name!r} is called {ours!r} here"


def test_help_lists_every_data_set(monkeypatch, capsys):
  monkeypatch.setattr(sys, "argv", ["prepare", "--help"])
  with pytest.raises(SystemExit):
    prepare.main()
  words = capsys.readouterr().out.replace(",", " ").split()
  assert set(data.SPECS) <= set(words)


@pytest.mark.parametrize("name", ["mnist+cub", "usps+usps", "usps+"])
def test_joining_equal_or_other_data_sets_is_refused(monkeypatch, capfd, name):
  status, (line,) = _run(monkeypatch, capfd, name)
  assert status == 2
  assert "must join different sets of mnist, mnist_m, usps" in line


def test_embedded_data_needs_no_preparation(capfd):
  preparation.prepare("digits")
  assert "digits needs no preparation" in capfd.readouterr().out


def test_missing_tensorflow_is_reported_with_the_install_command(monkeypatch, capfd, tmp_path):
  monkeypatch.setattr(preparation.importlib.util, "find_spec", lambda _: None)
  status, (line,) = _run(monkeypatch, capfd, "mnist", f"--data_dir={tmp_path}")
  assert status == 2
  if sys.version_info >= (3, 14):
    assert line.endswith("JAXKD_PYTHON=3.13 ./launch.sh prepare mnist does")
  else:
    assert line.endswith(f"{sys.executable} -m pip install 'jaxkd-distill[tensorflow]'")


def test_a_wrong_checksum_is_reported_in_one_line(monkeypatch, capfd, tmp_path):
  """An official builder, stopped before it needs TensorFlow."""
  monkeypatch.setattr(preparation.importlib.util, "find_spec", lambda _: True)
  (tmp_path / "cifar-100-binary.tar.gz").write_bytes(b"not it")
  status, lines = _run(
    monkeypatch, capfd, "cifar100", f"--data_dir={tmp_path}", f"--archives={tmp_path}"
  )
  assert status == 2
  assert len(lines) == 1
  assert "wrong checksum" in lines[0]
  assert not _is_prepared(data.SPECS["cifar100"], tmp_path)


@pytest.mark.parametrize(
  ("name", "archive"),
  [("tiny_imagenet", "tiny-imagenet-200.zip"), ("usps+mnist_m", "usps_28x28.mat")],
)
def test_missing_archives_are_reported_with_the_command(
  monkeypatch, capfd, tmp_path, name, archive
):
  status, (line,) = _run(monkeypatch, capfd, name, f"--data_dir={tmp_path}")
  assert status == 2
  assert f"{tmp_path}/downloads/manual does not exist" in line
  assert archive in line
  assert line.endswith(
    f"{sys.executable} -m jaxkd.prepare {name} --data_dir={tmp_path} --archives=FOLDER"
  )


@pytest.mark.parametrize(
  ("name", "lacks"),
  [
    ("cub", "none of CUB_200_2011.tgz, CUB_200_2011.tar, CUB_200_2011/"),
    ("cifar100", "no cifar-100-binary.tar.gz"),
    ("imagenette", "no imagenette2-320.tgz"),
  ],
)
def test_a_folder_of_archives_prevents_downloads(monkeypatch, capfd, tmp_path, name, lacks):
  def refuse(*_, **__):
    raise AssertionError("something is downloaded")

  monkeypatch.setattr(downloader._Downloader, "download", refuse)
  monkeypatch.setattr(preparation.importlib.util, "find_spec", lambda _: True)
  # An empty folder of the user stays; the others go with the failure.
  (tmp_path / "own" / "empty").mkdir(parents=True)
  places = f"--data_dir={tmp_path}/own/new/data", f"--archives={tmp_path}"
  status, (line,) = _run(monkeypatch, capfd, name, *places)
  assert status == 2
  assert line == f"jaxkd: {tmp_path} has {lacks}"
  assert [path.name for path in tmp_path.rglob("*")] == ["own", "empty"]


def test_a_download_is_announced_with_address_and_size(monkeypatch, capfd, tmp_path):
  def unreachable(*_, **__):
    raise OSError("unreachable")

  monkeypatch.setattr(downloader._Downloader, "download", unreachable)
  with pytest.raises(data.DataError, match=r"can't be prepared: .*unreachable"):
    preparation.prepare("cub", str(tmp_path))
  assert (
    "downloading https://data.caltech.edu/records/65de6-vp158/files/"
    "CUB_200_2011.tgz?download=1 (1.07 GiB)\n"
  ) in capfd.readouterr().err


def _is_prepared(spec, data_dir):
  try:
    data.examples(spec, str(data_dir))
  except data.DataError:
    return False
  return True


# --- Tiny ImageNet ------------------------------------------------------------


def _tiny_files():
  """Three classes with two training images and one validation image each."""
  files = {
    "wnids.txt": b"n3\nn1\nn2\n",
    "words.txt": b"n1\tcrane\nn2\tcrane, derrick\nn3\tscorpion\n",
    "val/val_annotations.txt": b"".join(
      b"v%d.JPEG\tn%d\t0\t0\t62\t62\n" % (i, i) for i in (1, 2, 3)
    ),
  }
  for wnid in (1, 2, 3):
    for number in range(2):
      grey = np.full((64, 64), 50 * wnid + number, np.uint8)
      name = f"train/n{wnid}/images/n{wnid}_{number}.JPEG"
      files[name] = stripes.encoded(grey, "jpeg")
    colour = np.full((64, 64, 3), (50 * wnid, 0, 0), np.uint8)
    files[f"val/images/v{wnid}.JPEG"] = stripes.encoded(colour, "jpeg")
  return files


def _zip(folder, files):
  with zipfile.ZipFile(folder / "tiny-imagenet-200.zip", "w") as archive:
    for name, content in files.items():
      archive.writestr(f"tiny-imagenet-200/{name}", content)


def _unpacked(folder, files, root="tiny-imagenet-200"):
  for name, content in files.items():
    path = folder / root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_terminated_preparation_leaves_no_partial_files(monkeypatch, capfd, tmp_path, terminate):
  _zip(tmp_path, _tiny_files())
  monkeypatch.setattr(builders.TinyImagenet, "_generate_examples", lambda *_: terminate())
  where = f"--data_dir={tmp_path}", f"--archives={tmp_path}"
  status, _ = _run(monkeypatch, capfd, "tiny_imagenet", *where)
  assert status == 75
  assert not list(tmp_path.rglob("*incomplete*"))


@pytest.mark.parametrize("write", [_zip, _unpacked])
def test_tiny_imagenet_is_read_with_names_and_labels(tmp_path, write):
  write(tmp_path, _tiny_files())
  preparation.prepare("tiny_imagenet", str(tmp_path), str(tmp_path))
  spec = data.SPECS["tiny_imagenet"]
  train, test = data.load(spec, str(tmp_path))
  assert data.class_names(spec, str(tmp_path)) == ("scorpion", "crane (n1)", "crane (n2)")
  assert train.images.shape == (6, 64, 64, 3)
  # Preparing a prepared data set again needs no archive.
  preparation.prepare("tiny_imagenet", str(tmp_path))
  # Labels 0, 1, 2 are n3, n1, n2: grey 150, 50, 100, and likewise in red.
  wnids = np.array([3, 1, 2])
  grey = train.images.mean((1, 2, 3))
  np.testing.assert_allclose(grey, 50 * wnids[train.labels], atol=2)
  red = test.images[..., 0].mean((1, 2))
  np.testing.assert_allclose(red, 50 * wnids[test.labels], atol=3)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"val/images/v2.JPEG": None}, r"\.zip lacks val/images/v2\.JPEG"),
    ({"val/images/v2.JPEG": b"no"}, r"v2\.JPEG in .*\.zip is not a readable"),
    ({"wnids.txt": b"n1\nn2\nn3\nn4"}, r"no images of class n4 in train"),
    ({"wnids.txt": b"n1\nn2"}, r"is of class n3, not in wnids\.txt"),
    (
      {"words.txt": b"n1\tcrane\nn2 crane"},
      r"line 2 of words\.txt in .*\.zip has no tab: 'n2 crane'",
    ),
    (
      {"val/val_annotations.txt": b"v1.JPEG n1 0"},
      r"line 1 of val_annotations\.txt in .*\.zip has no tab",
    ),
    ({"words.txt": b"n1\t\xff"}, r"words\.txt, .*\.zip are not all text"),
  ],
)
def test_damaged_tiny_imagenet_is_not_prepared(tmp_path, change, message):
  files = {**_tiny_files(), **change}
  _zip(tmp_path, {k: v for k, v in files.items() if v is not None})
  with pytest.raises(data.DataError, match=message):
    preparation.prepare("tiny_imagenet", str(tmp_path), str(tmp_path))
  assert not _is_prepared(data.SPECS["tiny_imagenet"], tmp_path)


def test_a_damaged_zip_is_named(tmp_path):
  _zip(tmp_path, _tiny_files())
  file = tmp_path / "tiny-imagenet-200.zip"
  content = file.read_bytes()
  file.write_bytes(content[: len(content) // 2])
  with pytest.raises(data.DataError, match=rf"{file} is damaged"):
    preparation.prepare("tiny_imagenet", str(tmp_path), str(tmp_path))
  at = content.index(_tiny_files()["val/images/v1.JPEG"]) + 100
  file.write_bytes(content[:at] + b"\xff\x00\xff" + content[at + 3 :])
  with pytest.raises(data.DataError, match=r"\.zip is damaged: Bad CRC-32.*v1\.JPEG"):
    preparation.prepare("tiny_imagenet", str(tmp_path), str(tmp_path))


# --- CUB-200-2011 -------------------------------------------------------------


def _cub_files():
  """Two classes with two training images and one test image each, all uniformly grey."""
  tables = {"images": "", "image_class_labels": "", "train_test_split": ""}
  files = {"classes.txt": b"1 007.Herring_Gull\n2 009.Crow\n"}
  for number in range(1, 7):
    label = 1 + number // 4
    name = ("", "007.Herring_Gull", "009.Crow")[label] + f"/{number}.jpg"
    tables["images"] += f"{number} {name}\n"
    tables["image_class_labels"] += f"{number} {label}\n"
    tables["train_test_split"] += f"{number} {int(number not in (1, 6))}\n"
    grey = np.full((60, 40 + 10 * number), 40 * number, np.uint8)
    files[f"images/{name}"] = stripes.encoded(grey, "jpeg")
  return files | {f"{k}.txt": text.encode() for k, text in tables.items()}


def _cub_folder(folder, files):
  _unpacked(folder, files, "CUB_200_2011")


def _cub_tar(folder, files, name="CUB_200_2011.tar", mode="w"):
  with tarfile.open(folder / name, mode) as archive:
    for file, content in files.items():
      entry = tarfile.TarInfo(f"CUB_200_2011/{file}")
      entry.size = len(content)
      archive.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("write", [_cub_tar, _cub_folder])
def test_cub_is_read_with_names_labels_and_split(tmp_path, write):
  write(tmp_path, _cub_files())
  preparation.prepare("cub", str(tmp_path), str(tmp_path))
  spec = data.SPECS["cub"]
  assert data.class_names(spec, str(tmp_path)) == ("Herring Gull", "Crow")
  train, test = data.load(spec, str(tmp_path))
  # The official split tests on images 1 and 6; images 1 to 3 are gulls.
  for split, numbers in ((train, [2, 3, 4, 5]), (test, [1, 6])):
    assert split.images.shape[1:] == (256, 256, 3)
    got = np.round(split.images.mean((1, 2, 3)) / 40).astype(int)
    assert sorted(got) == numbers
    np.testing.assert_array_equal(split.labels, got > 3)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"images/009.Crow/5.jpg": None}, r"\.tar lacks images/009\.Crow/5\.jpg"),
    ({"images/009.Crow/5.jpg": b"no"}, r"5\.jpg in .*\.tar is not a readable"),
    ({"classes.txt": b"1 007.Herring_Gull"}, r"lacks the split or the class of .*4\.jpg"),
    ({"train_test_split.txt": b"1 0\n2 1"}, r"lacks the split or the class of .*3\.jpg"),
    (
      {"train_test_split.txt": b"1 1\n2 1\n3 1\n4 1\n5 1\n6 0\n"},
      r"no images of class 007\.Herring_Gull in test",
    ),
    ({"images.txt": b"1\n"}, r"a line of classes, .*is not a number"),
    (
      {"image_class_labels.txt": b"1 1\n2 1\n3 1\n4 2\n5 1\n6 2\n"},
      r"009\.Crow/5\.jpg in .*\.tar has the label of class 007\.Herring_Gull",
    ),
  ],
)
def test_damaged_cub_is_not_prepared(tmp_path, change, message):
  files = {**_cub_files(), **change}
  _cub_tar(tmp_path, {k: v for k, v in files.items() if v is not None})
  with pytest.raises(data.DataError, match=message):
    preparation.prepare("cub", str(tmp_path), str(tmp_path))
  assert not _is_prepared(data.SPECS["cub"], tmp_path)


@pytest.mark.parametrize("error", [ValueError("a chunk"), Image.DecompressionBombError("a bomb")])
def test_an_error_of_pillow_names_the_image(tmp_path, monkeypatch, error):
  def refuse(*_, **__):
    raise error

  _cub_tar(tmp_path, _cub_files())
  monkeypatch.setattr("jaxkd.data.images.Image.open", refuse)
  with pytest.raises(data.DataError, match=rf"\.jpg in .*\.tar .*{error}"):
    preparation.prepare("cub", str(tmp_path), str(tmp_path))


def test_a_damaged_tar_is_named(tmp_path):
  _cub_tar(tmp_path, _cub_files())
  file = tmp_path / "CUB_200_2011.tar"
  content = file.read_bytes()
  middle = content.index(b"train_test_split.txt")
  for part in (b"no archive", content[:middle], content[: middle - 3000]):
    file.write_bytes(part)
    with pytest.raises(data.DataError, match=rf"{file} (is damaged|lacks)"):
      preparation.prepare("cub", str(tmp_path), str(tmp_path))


def test_an_archive_with_another_checksum_is_refused(tmp_path):
  _cub_tar(tmp_path, _cub_files(), "CUB_200_2011.tgz", "w:gz")
  with pytest.raises(data.DataError, match="wrong checksum") as error:
    preparation.prepare("cub", str(tmp_path), str(tmp_path))
  assert f"{tmp_path}/CUB_200_2011.tgz" in str(error.value)
  assert "downloaded" not in str(error.value)
  assert not _is_prepared(data.SPECS["cub"], tmp_path)


def test_an_archive_of_the_published_content_is_read_in_any_compression(
  monkeypatch, capfd, tmp_path
):
  files = _cub_files()
  image = next(name for name in files if name.endswith(".jpg"))
  known = {pathlib.PurePath(image).name: hashlib.sha256(files[image]).hexdigest()}
  monkeypatch.setitem(contents.SHA256, "cub", known)
  _cub_tar(tmp_path, files, "CUB_200_2011.tgz", "w:gz")
  preparation.prepare("cub", str(tmp_path), str(tmp_path))
  assert _is_prepared(data.SPECS["cub"], tmp_path)
  out, err = capfd.readouterr()
  assert "the published files in another compression" in err
  assert "download" not in (out + err).lower()


def _tar_gz(path, **files):
  with tarfile.open(path, "w:gz", compresslevel=1) as archive:
    for name, content in files.items():
      entry = tarfile.TarInfo(f"folder/{name.replace('_txt', '.txt')}")
      entry.size = len(content)
      archive.addfile(entry, io.BytesIO(content))


def test_the_content_of_an_archive_is_compared_file_by_file(monkeypatch, tmp_path):
  digests = {"train": b"pixels", "names.txt": b"cat\ndog"}
  digests = {name: hashlib.sha256(content).hexdigest() for name, content in digests.items()}
  monkeypatch.setitem(contents.SHA256, "pets", digests)
  path = tmp_path / "pets.tar.gz"

  def found(**files):
    _tar_gz(path, **files)
    return contents.difference("pets", path)

  differs = "its {} differs from the published file"
  assert not found(train=b"pixels", names_txt=b"cat\ndog\n\n", readme=b"anything")
  assert not found(train=b"pixels", names_txt=b"cat\r\ndog\r\n")
  assert found(train=b"pixel", names_txt=b"cat\ndog") == differs.format("train")
  assert found(train=b"pixels", names_txt=b"dog\ncat") == differs.format("names.txt")
  # The builder takes lines as names, with their spaces.
  for names in (b"cat \n dog\n", b"cat dog\n", b"cat\ndog\n \n"):
    assert found(train=b"pixels", names_txt=names) == differs.format("names.txt")
  assert found(train=b"pixels") == "it lacks names.txt"
  assert contents.difference("birds", path) == "the digests of its files are not known here"
  path.write_bytes(path.read_bytes()[:60])
  assert contents.difference("pets", path).startswith("it is damaged: ")
  path = tmp_path / "train.gz"
  for content, said in ((b"pixels", ""), (b"pixel", differs.format("train"))):
    path.write_bytes(gzip.compress(content, 1))
    assert contents.difference("pets", path) == said


@pytest.fixture
def pets_with(monkeypatch, tmp_path):
  """Returns a function that writes `a/train` and a second file or link, and compares them."""
  pixels = np.random.default_rng(0).bytes(9000)
  digest = hashlib.sha256(pixels).hexdigest()
  monkeypatch.setitem(contents.SHA256, "pets", {"train": digest, "test": digest})

  def difference(name, content=pixels, link="", compression="gz", fault=b""):
    path = tmp_path / "pets.tgz"
    with tarfile.open(path, f"w:{compression}") as archive:
      first, second = tarfile.TarInfo("a/train"), tarfile.TarInfo(name)
      first.size, second.size = len(pixels), 0 if link else len(content)
      if link:
        second.type, second.linkname = tarfile.SYMTYPE, link
      archive.addfile(first, io.BytesIO(pixels))
      archive.addfile(second, io.BytesIO(content))
    whole = path.read_bytes()
    path.write_bytes(whole[:9000] + fault + whole[9000 + len(fault) :])
    return contents.difference("pets", path)

  return difference


@pytest.mark.parametrize("target", ["nowhere", "test"])
def test_a_link_to_no_file_is_damage(pets_with, target):
  assert pets_with("a/test", link="train") == ""
  assert pets_with("a/test", link=target).startswith("it is damaged: ")


@pytest.mark.parametrize("compression", ["bz2", "xz"])
def test_a_damaged_stream_of_another_compression_is_named(pets_with, compression):
  assert pets_with("a/test", compression=compression) == ""
  found = pets_with("a/test", compression=compression, fault=bytes(99))
  assert found.startswith("it is damaged: ")


def test_each_file_is_compared_at_the_path_where_it_is_unpacked(pets_with):
  assert pets_with("./a//test") == ""
  assert pets_with("a/x/../test") == ""
  assert pets_with("a/test/y/..", b"other") == "its test differs from the published file"
  assert pets_with("a/train/y/..") == "it has train twice"
  assert pets_with("b/train") == "it has train twice"
  assert pets_with("b/test") == "its files must be in one folder, but are in a, b"


# --- Digits-Five --------------------------------------------------------------


def _digits(size, shape):
  random = np.random.default_rng(size)
  images = random.integers(0, 256, (size, *shape), np.uint8)
  return images, np.arange(size) % 10


def _write_digits_five(folder, first_label=0):
  """Writes files in the published layout, with 20 training and 10 test images each."""
  expected = {}
  one_hot = np.eye(10, dtype=np.uint8)

  (a, la), (b, lb) = _digits(20, (28, 28, 1)), _digits(10, (28, 28, 1))
  expected["MNIST"] = a, b
  mat = {"train_28": a, "label_train": one_hot[la]}
  mat |= {"test_28": b, "label_test": one_hot[lb]}
  scipy.io.savemat(folder / "mnist_data.mat", mat)

  (a, la), (b, lb) = _digits(20, (28, 28, 3)), _digits(10, (28, 28, 3))
  expected["MNISTM"] = a, b
  mat = {"train": a, "label_train": one_hot[la]}
  mat |= {"test": b, "label_test": one_hot[lb]}
  scipy.io.savemat(folder / "mnistm_with_label.mat", mat)

  (a, la), (b, lb) = _digits(20, (1, 28, 28)), _digits(10, (1, 28, 28))
  expected["USPS"] = np.moveaxis(a, 1, -1), np.moveaxis(b, 1, -1)
  cells = np.empty((2, 2), object)
  cells[0] = a / np.float32(255), la[:, None]
  cells[1] = b / np.float32(255), lb[:, None]
  scipy.io.savemat(folder / "usps_28x28.mat", {"dataset": cells})

  (a, la), (b, lb) = _digits(20, (32, 32, 3)), _digits(10, (32, 32, 3))
  expected["SVHN"] = a, b
  for split, images, labels in (("train", a, la), ("test", b, lb)):
    mat = {"X": np.moveaxis(images, 0, -1)}
    mat["y"] = np.where(labels == 0, 10, labels)[:, None]
    scipy.io.savemat(folder / f"svhn_{split}_32x32.mat", mat)

  (a, la), (b, lb) = _digits(20, (32, 32, 3)), _digits(10, (32, 32, 3))
  expected["SYN"] = a, b
  mat = {"train_data": a, "train_label": la[:, None] + first_label}
  mat |= {"test_data": b, "test_label": lb[:, None]}
  scipy.io.savemat(folder / "syn_number.mat", mat)
  return expected


def _at_32(image):
  picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
  picture = picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
  return np.asarray(picture)


def test_digits_five_has_ten_classes_for_each_domain(tmp_path):
  expected = _write_digits_five(tmp_path)
  preparation.prepare("digits_five", str(tmp_path), str(tmp_path))
  spec = data.SPECS["digits_five"]
  assert spec.num_classes == 50
  names = data.class_names(spec, str(tmp_path))
  assert names[:2] == ("MNIST@0", "MNIST@1")
  assert names[13] == "MNISTM@3"
  assert names[-1] == "SYN@9"
  for number, arrays in enumerate(data.load(spec, str(tmp_path))):
    assert arrays.images.shape == (100 - 50 * number, 32, 32, 3)
    for domain, splits in enumerate(expected.values()):
      images = {
        _at_32(image).tobytes(): 10 * domain + row % 10 for row, image in enumerate(splits[number])
      }
      mine = arrays.labels // 10 == domain
      got = zip(arrays.images[mine], arrays.labels[mine], strict=True)
      assert {i.tobytes(): label for i, label in got} == images


def test_two_domains_can_be_joined(tmp_path):
  _write_digits_five(tmp_path)
  preparation.prepare("usps+mnist_m", str(tmp_path), str(tmp_path))
  spec = data.find("usps+mnist_m")
  train, _ = data.load(spec, str(tmp_path))
  assert data.class_names(spec, str(tmp_path))[9:11] == ("USPS@9", "MNISTM@0")
  np.testing.assert_array_equal(np.bincount(train.labels), [2] * 20)
  # A single domain keeps its image size.
  usps, _ = data.load(data.SPECS["usps"], str(tmp_path))
  assert usps.images.shape == (20, 28, 28, 1)


@pytest.mark.parametrize(
  ("name", "content", "message"),
  [
    ("usps_28x28.mat", None, r"usps_28x28\.mat is missing"),
    ("usps_28x28.mat", b"no MATLAB file", r"usps_28x28\.mat is damaged"),
  ],
)
def test_a_missing_or_damaged_file_of_digits_five_is_named(tmp_path, name, content, message):
  _write_digits_five(tmp_path)
  (tmp_path / name).unlink()
  if content:
    (tmp_path / name).write_bytes(content)
  with pytest.raises(data.DataError, match=message):
    preparation.prepare("usps", str(tmp_path), str(tmp_path))
  assert not _is_prepared(data.SPECS["usps"], tmp_path)


def test_digits_five_refuses_wrong_labels_and_arrays(tmp_path):
  _write_digits_five(tmp_path, first_label=1)
  with pytest.raises(data.DataError, match=r"syn_number\.mat has label 10"):
    preparation.prepare("digits_five", str(tmp_path), str(tmp_path))
  scipy.io.savemat(tmp_path / "usps_28x28.mat", {"data": [1]})
  with pytest.raises(data.DataError, match="lacks the array 'dataset'"):
    preparation.prepare("usps", str(tmp_path / "other"), str(tmp_path))


def _change(file, **arrays):
  mat = scipy.io.loadmat(file)
  scipy.io.savemat(
    file,
    {name: change(mat[name]) for name, change in arrays.items()}
    | {
      name: array for name, array in mat.items() if not name.startswith("__") and name not in arrays
    },
  )


def _with(index, value):
  def change(array):
    array[index] = value
    return array

  return change


@pytest.mark.parametrize(
  ("domain", "file", "arrays", "message"),
  [
    ("mnist", "mnist_data.mat", {"label_train": _with((3, 4), 1)}, "labels that are not one-hot"),
    (
      "mnist",
      "mnist_data.mat",
      {"label_train": lambda labels: labels[:, :9]},
      r"labels of shape \(20, 9\), must be",
    ),
    (
      "mnist",
      "mnist_data.mat",
      {"label_test": lambda labels: labels[:7]},
      "10 images and 7 labels",
    ),
    (
      "mnist_m",
      "mnistm_with_label.mat",
      {"train": lambda images: images / 255},
      "not whole numbers",
    ),
    (
      "mnist_m",
      "mnistm_with_label.mat",
      {"test": lambda images: images // 128},
      "not whole numbers",
    ),
    (
      "mnist_m",
      "mnistm_with_label.mat",
      {"test": lambda images: images.astype(np.int16) + 1},
      "not whole numbers up to 255",
    ),
    ("svhn", "svhn_train_32x32.mat", {"y": _with(2, 11)}, "image 2 .*has label 11, not 1 to 10"),
    ("svhn", "svhn_test_32x32.mat", {"y": _with(0, 0)}, "image 0 .*has label 0, not 1 to 10"),
    ("syn", "syn_number.mat", {"test_label": _with(4, 5)}, "no images of label 4"),
  ],
)
def test_digits_five_refuses_arrays_that_differ_from_the_published(
  tmp_path, domain, file, arrays, message
):
  _write_digits_five(tmp_path)
  _change(tmp_path / file, **arrays)
  spec = dataclasses.replace(data.SPECS["svhn"], builder=f"digits_five/{domain}")
  with pytest.raises(data.DataError, match=message) as error:
    preparation._build(spec, domain, str(tmp_path), str(tmp_path))
  assert file in str(error.value)
  assert not _is_prepared(spec, tmp_path)


def test_labels_in_a_column_are_read_as_classes(tmp_path):
  """The argmax over one column would give class 0 to every image."""
  _write_digits_five(tmp_path)
  file = tmp_path / "mnistm_with_label.mat"
  before, _ = _labels(tmp_path, "one_hot")
  _change(file, label_train=lambda labels: labels.argmax(1)[:, None])
  after, _ = _labels(tmp_path, "column")
  np.testing.assert_array_equal(before, after)


def _labels(tmp_path, name):
  preparation.prepare("mnist_m", str(tmp_path / name), str(tmp_path))
  splits = data.examples(data.SPECS["mnist_m"], str(tmp_path / name))
  return [split.labels for split in splits]


# --- Synthetic digits ---------------------------------------------------------


def test_syn_is_generated_deterministically(tmp_path, monkeypatch):
  monkeypatch.setattr(syn_digits, "_SIZES", {"train": 20, "test": 10})
  preparation.prepare("syn", str(tmp_path))
  train, test = data.load(data.SPECS["syn"], str(tmp_path))
  np.testing.assert_array_equal(np.bincount(train.labels), [2] * 10)
  pairs = zip(train.images, train.labels, strict=True)
  got = {image.tobytes(): label for image, label in pairs}
  expected = [syn_digits.render("train", number) for number in range(20)]
  assert {i.tobytes(): n % 10 for n, i in enumerate(expected)} == got
  assert not set(got) & {image.tobytes() for image in test.images}


def test_syn_digits_differ_and_have_contrast():
  images = np.array([syn_digits.render("train", n) for n in range(0, 80, 10)])
  assert len({image.tobytes() for image in images}) == 8
  assert np.all(np.ptp(images, axis=(1, 2)).max(-1) > 30)


# --- Foreign archives ---------------------------------------------------------


def _tar(path, *entries):
  """Writes a tar archive of names with contents, or of links with the names that they lead to."""
  with tarfile.open(path, "w") as archive:
    for name, content, *kind in entries:
      entry = tarfile.TarInfo(name)
      if kind:
        entry.type, entry.linkname = kind[0], content
        archive.addfile(entry)
      else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("name", ["../outside.txt", "/{root}/outside.txt", "a/../../outside.txt"])
def test_a_file_outside_of_the_folder_is_neither_read_nor_written(tmp_path, name):
  inside = tmp_path / "inside"
  inside.mkdir()
  name = name.format(root=tmp_path)
  _tar(inside / "a.tar", (name, b"no"), ("CUB/x.txt", b"yes"))
  with zipfile.ZipFile(inside / "a.zip", "w") as archive:
    archive.writestr(name, b"no")
    archive.writestr("CUB/x.txt", b"yes")
  for suffix in ("tar", "zip"):
    opened = builder_files.Archive(inside / f"a.{suffix}", "CUB")
    assert opened.names == ["x.txt"]
    assert opened.texts("x.txt") == ["yes"]
    assert_refused(lambda opened=opened: opened.texts(name), f"lacks {name}", data.DataError)
  assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.tar", "a.zip", "inside"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_lead_to_files_of_the_archive_alone(tmp_path, kind):
  secret = tmp_path / "secret.txt"
  secret.write_text("secret")
  path = tmp_path / "a.tar"
  links = [("CUB/up.txt", "../secret.txt", kind), ("CUB/absolute.txt", str(secret), kind)]
  _tar(path, ("CUB/x.txt", b"own"), *links)
  opened = builder_files.Archive(path, "CUB")
  assert opened.names == ["x.txt"]
  _tar(path, ("CUB/round.txt", "CUB/round.txt", tarfile.LNKTYPE))
  with contextlib.suppress(data.DataError):
    assert builder_files.Archive(path, "CUB").names == []


def test_devices_and_pipes_in_an_archive_are_left_out(tmp_path):
  path = tmp_path / "a.tar"
  kinds = [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
  _tar(path, *((f"CUB/{kind}.txt", "", kind) for kind in kinds), ("CUB/x.txt", b"own"))
  assert builder_files.Archive(path, "CUB").names == ["x.txt"]


@pytest.mark.parametrize("suffix", ["zip", "tgz"])
def test_a_bomb_in_an_archive_is_refused(tmp_path, monkeypatch, suffix):
  monkeypatch.setattr(builder_files, "_MAX_BYTES", 10_000)
  path = tmp_path / f"a.{suffix}"
  if suffix == "zip":
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
      archive.writestr("CUB/classes.txt", bytes(10_001))
  else:
    with tarfile.open(path, "w:gz") as archive:
      entry = tarfile.TarInfo("CUB/classes.txt")
      entry.size = 10_001
      archive.addfile(entry, io.BytesIO(bytes(10_001)))
  opened = builder_files.Archive(path, "CUB")
  message = f"{path} is damaged: CUB/classes.txt has more than 10,000 bytes"
  assert_refused(lambda: opened.texts("classes.txt"), message, data.DataError)


def test_an_encrypted_archive_is_named(tmp_path):
  _zip(tmp_path, _tiny_files())
  path = tmp_path / "tiny-imagenet-200.zip"
  content = bytearray(path.read_bytes())
  content[content.index(b"PK\x01\x02") + 8] |= 1
  path.write_bytes(content)
  with pytest.raises(data.DataError, match=rf"{path} is damaged: .*wnids\.txt.* is encrypted"):
    preparation.prepare("tiny_imagenet", str(tmp_path), str(tmp_path))


def _archive(suffix):
  content = io.BytesIO()
  if suffix == "zip":
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
      archive.writestr("CUB/classes.txt", "1 007.Gull\n")
  else:
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
      entry = tarfile.TarInfo("CUB/classes.txt")
      entry.size = 3
      archive.addfile(entry, io.BytesIO(b"1 a"))
  return content.getvalue()


@pytest.mark.parametrize("suffix", ["zip", "tgz"])
def test_damaged_archives_are_read_or_refused(tmp_path, suffix):
  path = tmp_path / f"a.{suffix}"

  @fuzzed(60)
  @hypothesis.given(damaged(_archive(suffix)))
  def check(content):
    path.write_bytes(content)
    assert_read_or_refused(
      lambda: builder_files.Archive(path, "CUB").texts("classes.txt"), data.DataError
    )

  check()


@pytest.mark.parametrize(
  ("name", "unpack", "files", "tables"),
  [
    ("tiny_imagenet", _unpacked, _tiny_files(), ("wnids.txt", "words.txt")),
    ("cub", _cub_folder, _cub_files(), ("classes.txt", "images.txt")),
  ],
)
def test_damaged_files_of_class_names_are_refused(
  tmp_path, monkeypatch, name, unpack, files, tables
):
  """Sound tables go on to the images, which are none here."""
  builder = {"tiny_imagenet": builders.TinyImagenet, "cub": builders.Cub}[name]
  monkeypatch.setattr(builder, "_generate_examples", lambda *_: iter(()))
  where, lines = str(tmp_path), st.sampled_from([b"1 x", b"n1\t", b"n9", b"\x85", b"\n", b"1 ../x"])

  @fuzzed(25)
  @hypothesis.given(
    st.sampled_from(tables),
    st.lists(lines).map(b"\n".join) | damaged(*(files[table] for table in tables)),
  )
  def check(table, content):
    unpack(tmp_path, {**files, table: content})
    assert_read_or_refused(lambda: preparation.prepare(name, where, where), data.DataError)

  check()
