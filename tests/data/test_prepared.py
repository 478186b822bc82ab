"""Data sets prepared by TFDS are read without TensorFlow, and cached."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow_datasets as tfds
from stripes import SIZES, SPEC, Stripes, image

from jaxkd import data
from jaxkd.data import cache
from jaxkd.data.prepared import Prepared


def test_every_example_is_read(data_dir):
  for split, arrays in zip(SIZES, data.load(SPEC, data_dir), strict=True):
    expected = {image(split, number).tobytes(): number % 3 for number in range(SIZES[split])}
    assert arrays.images.dtype == np.uint8
    assert arrays.labels.dtype == np.int32
    got = zip(arrays.images, arrays.labels, strict=True)
    assert {i.tobytes(): label for i, label in got} == expected
  assert "tensorflow" not in sys.modules
  assert data.class_names(SPEC, data_dir) == ("a", "b", "c")


def _train_cache(data_dir):
  (folder,) = pathlib.Path(data_dir, "jaxkd_cache").glob("stripes-*-train-*")
  return folder


def _kept(data_dir):
  """The files of the cache, without the locks."""
  files = pathlib.Path(data_dir, "jaxkd_cache").iterdir()
  return [file.name for file in files if file.suffix != ".lock"]


def _refuse(*_):
  raise AssertionError("it is read again")


def test_the_second_load_reads_the_cache(data_dir, capfd, monkeypatch):
  monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
  train, _ = data.load(SPEC, data_dir)
  assert "23/23" in capfd.readouterr().err
  monkeypatch.setattr("jaxkd.data.prepared.Prepared._read", _refuse)
  again, _ = data.load(SPEC, data_dir)
  assert isinstance(again.images, np.memmap)
  np.testing.assert_array_equal(again.images, train.images)
  np.testing.assert_array_equal(again.labels, train.labels)
  assert not capfd.readouterr().err


def test_data_prepared_again_is_decoded_again(data_dir, monkeypatch):
  """The new data has the same name, version, number of examples and number of bytes."""
  train, _ = data.load(SPEC, data_dir)
  labels = np.array(train.labels)
  np.testing.assert_array_equal(data.examples(SPEC, data_dir)[0].labels, labels)
  shutil.rmtree(pathlib.Path(data_dir, "stripes"))
  generate = Stripes._generate_examples

  def others(builder, split):
    for number, example in generate(builder, split):
      yield number, example | {"label": (example["label"] + 1) % 3}

  monkeypatch.setattr(Stripes, "_generate_examples", others)
  Stripes(data_dir=data_dir, file_format="array_record").download_and_prepare()
  again, _ = data.load(SPEC, data_dir)
  np.testing.assert_array_equal(again.labels, (labels + 1) % 3)
  (streamed, _) = data.examples(SPEC, data_dir)
  np.testing.assert_array_equal(streamed.labels, (labels + 1) % 3)


def test_a_new_version_of_the_decoding_ignores_the_cache(data_dir, monkeypatch):
  data.load(SPEC, data_dir)
  monkeypatch.setattr("jaxkd.data.cache.VERSION", 0)
  monkeypatch.setattr(
    "jaxkd.data.prepared.images.decode", lambda *_: (np.zeros((8, 8, 3), np.uint8), None)
  )
  train, _ = data.load(SPEC, data_dir)
  assert not train.images.any()


@pytest.mark.parametrize(
  "damage",
  [
    lambda path: (path / "images.npy").write_bytes(b"short"),
    lambda path: (path / "labels.npy").unlink(),
    lambda path: (path / "crc32.json").write_text("{"),
    lambda path: _flip_a_bit(path / "images.npy"),
  ],
)
def test_a_damaged_cache_is_decoded_again(data_dir, damage, capfd):
  train, _ = data.load(SPEC, data_dir)
  images = np.array(train.images)
  damage(_train_cache(data_dir))
  capfd.readouterr()
  again, _ = data.load(SPEC, data_dir)
  np.testing.assert_array_equal(again.images, images)
  assert capfd.readouterr().err.count("is damaged") == 1


def _flip_a_bit(file):
  content = bytearray(file.read_bytes())
  content[-1] ^= 1
  # A new file, since the old one is mapped into memory.
  file.unlink()
  file.write_bytes(content)


def test_data_loads_without_a_writable_cache(data_dir, capfd):
  pathlib.Path(data_dir, "jaxkd_cache").write_text("not a folder")
  train, _ = data.load(SPEC, data_dir)
  assert train.images.shape == (23, 8, 8, 3)
  assert "are not kept" in capfd.readouterr().err


def test_a_full_disk_leaves_no_cache(data_dir, capfd, monkeypatch):
  def full(*_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr("jaxkd.data.cache.os.posix_fallocate", full)
  train, _ = data.load(SPEC, data_dir)
  assert train.images.shape == (23, 8, 8, 3)
  assert "not kept: [Errno 28] No space left" in capfd.readouterr().err
  assert not _kept(data_dir)


def test_labels_are_read_once_without_decoding_images(data_dir, capfd, monkeypatch):
  expected = [data.load(SPEC, data_dir)[part].labels for part in range(2)]
  monkeypatch.setattr("jaxkd.data.prepared.images.decode", _refuse)
  for _ in range(2):
    splits = data.examples(SPEC, data_dir)
    for split, labels in zip(splits, expected, strict=True):
      np.testing.assert_array_equal(split.labels, labels)
      assert split.labels.dtype == np.int32
    monkeypatch.setattr("jaxkd.data.prepared.Prepared._read", _refuse)


def test_a_terminated_process_leaves_no_cache(data_dir, monkeypatch, terminate):
  with monkeypatch.context() as patch:
    patch.setattr("jaxkd.data.cache.json.dumps", lambda _: terminate())
    with pytest.raises(SystemExit):
      data.load(SPEC, data_dir)
  assert not _kept(data_dir)
  assert data.load(SPEC, data_dir)[0].images.shape == (23, 8, 8, 3)


_KILLED = """
import os, signal, sys
from stripes import SPEC
from jaxkd import data
from jaxkd.data import cache

cache.json.dumps = lambda _: os.kill(os.getpid(), signal.SIGKILL)
data.load(SPEC, sys.argv[1])
"""


def test_partial_files_of_a_killed_process_are_deleted(data_dir):
  folder = pathlib.Path(data_dir, "jaxkd_cache")
  root = pathlib.Path(data.__file__).parents[2]
  path = os.pathsep.join(map(str, (root, pathlib.Path(__file__).parent)))
  killed = subprocess.run(
    [sys.executable, "-c", _KILLED, data_dir],
    env={**os.environ, "PYTHONPATH": path},
    stderr=subprocess.DEVNULL,
  )
  assert killed.returncode == -signal.SIGKILL
  assert any(file.name == "images.npy" for file in folder.rglob("*"))
  data.load(SPEC, data_dir)
  assert len(_kept(data_dir)) == len(SIZES)


@pytest.mark.parametrize("damaged", [False, True])
def test_one_process_decodes_while_the_others_wait(data_dir, damaged, capfd, monkeypatch):
  if damaged:
    data.load(SPEC, data_dir)
    _flip_a_bit(_train_cache(data_dir) / "images.npy")
    capfd.readouterr()
  train, _ = data.examples(SPEC, data_dir)
  decode, decoded, waiting = Prepared.__getitem__, [], threading.Event()

  def slow(examples, index):
    decoded.append(index)
    assert waiting.wait(60)
    return decode(examples, index)

  monkeypatch.setattr(Prepared, "__getitem__", slow)
  tell = cache.tell
  monkeypatch.setattr(cache, "tell", lambda line: (tell(line), "waiting" in line and waiting.set()))
  # Locks belong to open files, so threads wait for them as processes do.
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    first, second = [pool.submit(train.load) for _ in range(2)]
    np.testing.assert_array_equal(first.result().images, second.result().images)
  assert sorted(decoded) == list(range(23))
  assert capfd.readouterr().err.count("is damaged") == damaged


def test_missing_data_is_reported_with_the_command(tmp_path):
  folder = tmp_path / "my data"
  with pytest.raises(data.DataError) as error:
    data.load(data.SPECS["cifar100"], str(folder))
  assert str(error.value) == (
    f"data set 'cifar100' is not prepared in {folder}/cifar100; prepare it "
    f"with: {sys.executable} -m jaxkd.prepare cifar100 "
    f"'--data_dir={folder}'"
  )


def test_missing_domains_are_reported_under_the_joined_name(tmp_path):
  with pytest.raises(data.DataError, match=r"prepare digits_five --data_dir="):
    data.load(data.SPECS["digits_five"], str(tmp_path))


def test_another_file_format_is_refused(data_dir):
  info = pathlib.Path(data_dir, "stripes", "1.2.0", "dataset_info.json")
  content = json.loads(info.read_text())
  info.write_text(json.dumps({**content, "fileFormat": "tfrecord"}))
  with pytest.raises(data.DataError, match=r"prepared in .* as tfrecord, .*"):
    data.load(SPEC, data_dir)


def test_an_incomplete_preparation_is_not_read(data_dir):
  folder = pathlib.Path(data_dir, "stripes", "1.2.0")
  folder.rename(folder.with_name("incomplete.ABCDEF_1.2.0"))
  with pytest.raises(data.DataError, match="is not prepared in"):
    data.load(SPEC, data_dir)


def test_damaged_records_are_a_data_error(data_dir):
  for file in pathlib.Path(data_dir, "stripes").rglob("*-train.array_record*"):
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    file.write_bytes(content)
  with pytest.raises(data.DataError, match=data_dir):
    data.load(SPEC, data_dir)


@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
def test_damaged_metadata_is_a_data_error(data_dir, name):
  pathlib.Path(data_dir, "stripes", "1.2.0", name).write_text("{")
  with pytest.raises(data.DataError, match=r"stripes.* can't be read: "):
    data.load(SPEC, data_dir)


def test_a_missing_file_of_records_is_a_data_error(data_dir):
  for file in pathlib.Path(data_dir, "stripes").rglob("*-train.array_record*"):
    file.unlink()
  with pytest.raises(data.DataError, match=r"stripes.* can't be read: "):
    data.load(SPEC, data_dir)


def test_too_many_classes_are_refused(data_dir):
  spec = dataclasses.replace(SPEC, num_classes=2)
  with pytest.raises(data.DataError, match=r"has 3 classes, .* has 2"):
    data.load(spec, data_dir)


def test_the_newest_version_is_read(data_dir):
  folder = pathlib.Path(data_dir, "stripes", "1.2.0")
  shutil.copytree(folder, folder.with_name("1.10.0"))
  shutil.rmtree(folder)
  assert data.load(SPEC, data_dir)[1].labels.shape == (10,)


class TwoLabels(Stripes):
  """A data set with the two labels of CIFAR-100."""

  def _info(self):
    features = {
      "image": tfds.features.Image(shape=(8, 8, 3), encoding_format="png"),
      "label": tfds.features.ClassLabel(num_classes=100),
      "coarse_label": tfds.features.ClassLabel(num_classes=20),
    }
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

  def _generate_examples(self, split):
    for number, example in super()._generate_examples(split):
      labels = {"label": 40 + number, "coarse_label": number % 20}
      yield number, example | labels


def test_coarse_labels_match_the_fine_labels(tmp_path):
  builder = TwoLabels(data_dir=tmp_path, file_format="array_record")
  builder.download_and_prepare()
  labels = []
  for name in ("cifar100", "cifar100_coarse"):
    spec = dataclasses.replace(data.SPECS[name], builder="two_labels")
    train, _ = data.examples(spec, str(tmp_path))
    assert len(train.class_names) == spec.num_classes
    # Each label has a cache of its own.
    np.testing.assert_array_equal(train.load().labels, train.labels)
    labels.append(train.labels)
  fine, coarse = labels
  np.testing.assert_array_equal(coarse, (fine - 40) % 20)
  assert sorted(fine) == list(range(40, 63))
