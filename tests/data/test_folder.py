"""Folders of image files."""

import pathlib
import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from stripes import encoded

from jaxkd import data
from jaxkd.common.errors import ConfigError
from jaxkd.data import folder
from jaxkd.runs import planning, validation
from jaxkd.runs.store import PhaseFolder


@pytest.fixture
def photos(tmp_path):
  """Two classes of three and one images, of several sizes."""
  tmp_path = tmp_path / "photos"
  for split, sizes in {"train": [(300, 400), (500, 260), (256, 256)], "val": [(300, 257)]}.items():
    for label, name in enumerate(("cat", "dog")):
      folder = tmp_path / split / name
      folder.mkdir(parents=True)
      for number, (height, width) in enumerate(sizes):
        pixels = np.full((height, width, 3), (200 * label, 9, 99), np.uint8)
        (folder / f"{number}.JPG").write_bytes(encoded(pixels, "jpeg"))
      (folder / "notes.txt").write_text("not an image")
  return tmp_path


def test_folders_are_classes(photos):
  spec = data.find("folder", str(photos))
  assert (spec.num_classes, spec.stored_size) == (2, 256)
  train, test = data.load(spec, str(photos))
  assert train.images.shape == (6, 256, 256, 3)
  assert test.images.shape == (2, 256, 256, 3)
  assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
  np.testing.assert_allclose(train.images[..., 0].mean((1, 2)), 200 * train.labels, atol=4)
  assert data.class_names(spec, str(photos)) == ("cat", "dog")


def test_a_changed_image_is_decoded_again(photos):
  spec = data.find("folder", str(photos))
  data.load(spec, str(photos))
  white = encoded(np.full((260, 260, 3), 255, np.uint8), "jpeg")
  (photos / "train" / "cat" / "0.JPG").write_bytes(white)
  train, _ = data.load(spec, str(photos))
  assert np.all(train.images[0] == 255)


def _content(photos):
  return data.content("folder", str(photos))


def test_a_copied_or_moved_folder_has_the_same_content(photos):
  content = _content(photos)
  copy = shutil.copytree(photos, photos.with_name("copy"), copy_function=_copy)
  assert _content(copy) == content
  assert _content(photos.rename(photos.with_name("moved"))) == content


def _copy(source, target):
  """Copies a file, but not its times."""
  pathlib.Path(target).write_bytes(pathlib.Path(source).read_bytes())


def _in_place(photos):
  """Changes an image, but not its size."""
  file = photos / "val" / "cat" / "0.JPG"
  file.write_bytes(file.read_bytes()[:-3] + b"abc")


@pytest.mark.parametrize(
  "change",
  [
    _in_place,
    lambda p: (p / "train" / "cat" / "1.JPG").unlink(),
    lambda p: (p / "train" / "cat" / "1.JPG").rename(p / "train" / "dog" / "3.JPG"),
    lambda p: [(p / split / "dog").rename(p / split / "a") for split in ("train", "val")],
  ],
)
def test_changed_images_or_classes_change_the_content(photos, change):
  before = _content(photos)
  change(photos)
  assert _content(photos) != before


def test_the_content_hash_reads_each_image_once(photos, capfd, monkeypatch):
  monkeypatch.setattr(folder, "_SETTLED", 0)
  monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
  content = _content(photos)
  assert capfd.readouterr().err.count("6/6") == 1
  assert _content(photos) == content
  assert not capfd.readouterr().err
  (known,) = (photos / "jaxkd_cache").glob("train-content-*")
  known.write_text("")
  assert _content(photos) == content


def test_a_phase_is_identified_by_content_and_outlives_the_folder(photos, tiny_config):
  tiny_config.data.name, tiny_config.data.data_dir = "folder", str(photos)
  phase = planning.teacher(tiny_config)
  elsewhere = photos.rename(photos.with_name("elsewhere"))
  tiny_config.data.data_dir = str(elsewhere)
  assert planning.teacher(tiny_config).identity == phase.identity
  _in_place(elsewhere)
  assert planning.teacher(tiny_config).identity != phase.identity

  entry = PhaseFolder.of(elsewhere.parent, phase)
  entry.create()
  entry.finish({})
  shutil.rmtree(elsewhere)
  assert planning.spec_of(PhaseFolder.open(entry.path).phase) == data.specs.folder(2)
  tiny_config.data.name = "digits"
  tiny_config.teacher.checkpoint = str(entry.path)
  with pytest.raises(ConfigError, match="on folder with num_classes 2"):
    validation.validate(tiny_config)


def _empty(photos):
  for file in (photos / "val" / "dog").iterdir():
    file.unlink()


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (_empty, r"val/dog has no images"),
    (lambda p: (p / "val" / "emu").mkdir(), r"val/emu is not a class"),
    (
      lambda p: (p / "train" / "cat" / "1.JPG").write_bytes(b"no"),
      r"train/cat/1\.JPG is not a readable image",
    ),
    (lambda p: (p / "train").rename(p / "t"), r"must be the folder that has train/<class>"),
    (lambda p: (p / "val").rename(p / "v"), r"none of the folders test, validation, val"),
  ],
)
def test_a_faulty_folder_is_refused_by_path(photos, change, message):
  change(photos)
  with pytest.raises(data.DataError, match=message):
    data.load(data.find("folder", str(photos)), str(photos))


SIZES = pytest.mark.parametrize("size", [(300, 401), (513, 260), (100, 90), (256, 256)])


def _photograph(tmp_path, size):
  """Saves one smooth image as every example of a data set; returns the image and the splits."""
  height, width = size
  random = np.random.default_rng(0)
  small = random.integers(0, 256, (9, 9, 3), np.uint8)
  picture = Image.fromarray(small).resize((width, height))
  for split in ("train", "test"):
    for name in ("a", "b"):
      folder = tmp_path / split / name
      folder.mkdir(parents=True)
      picture.save(folder / "x.png")
  return picture, data.load(data.find("folder", str(tmp_path)), str(tmp_path))


@SIZES
def test_evaluated_images_are_resized_and_cropped_as_by_torchvision(tmp_path, size):
  """The reference is torchvision's Resize(256), CenterCrop(256)."""
  height, width = size
  picture, (_, test) = _photograph(tmp_path, size)
  scale = 256 / min(size)
  resized = picture.resize(
    (int(width * scale + 1e-9), int(height * scale + 1e-9)), Image.Resampling.BILINEAR
  )
  top = round((resized.height - 256) / 2)
  left = round((resized.width - 256) / 2)
  expected = np.asarray(resized)[top : top + 256, left : left + 256]
  np.testing.assert_array_equal(test.images[0], expected)
  assert test.sizes is None


_center_crop = jax.jit(data.center_crop, static_argnums=1)


@SIZES
def test_training_images_are_squashed_whole(tmp_path, size):
  picture, (train, test) = _photograph(tmp_path, size)
  squashed = picture.resize((256, 256), Image.Resampling.BILINEAR)
  np.testing.assert_array_equal(train.images[0], np.asarray(squashed))
  height, width = size
  assert train.sizes.tolist() == 2 * [[256 * height // min(size), 256 * width // min(size)]]
  # The middle of a squashed image differs little from that of the test split, which is sharper.
  spec = data.SPECS["cub"]
  middle, expected = (
    np.asarray(_center_crop(jnp.asarray(s.images), spec, s.sizes), np.int32) for s in (train, test)
  )
  assert np.mean(np.abs(middle - expected)) < 2


def test_a_subset_keeps_its_image_sizes(photos):
  train, _ = data.examples(data.find("folder", str(photos)), str(photos))
  sizes = [[256, 341], [492, 256], [256, 256]]
  rows = np.array([4, 2, 0])
  for split in (train, train.load()):
    part = data.take(split, rows)
    got = part.load() if isinstance(part, data.Examples) else part
    assert got.sizes.tolist() == [sizes[row % 3] for row in rows]


def test_both_loaders_give_the_same_sizes(photos):
  spec = data.find("folder", str(photos))
  sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  batches = []
  for kind in ("resident", "streamed"):
    split, _ = data.read(spec, str(photos), kind)
    if kind == "resident":
      split = jax.device_put(split, sharding)
    key = jax.device_put(jax.random.key(0), sharding)
    loader = data.train_loader(split, 4, key, sharding, workers=0)
    batches.append(data.batch_at(loader.source(0), jnp.int32(0), 4))
    loader.close()
    first, *_ = data.eval_batches(split, 4, sharding, workers=0)
    batches.append(first)
    assert batches[-1].sizes.tolist()[:2] == [[256, 341], [492, 256]]
  for resident, streamed in zip(batches[:2], batches[2:], strict=True):
    jax.tree.map(np.testing.assert_array_equal, resident, streamed)


def test_an_unreadable_image_is_named(photos):
  (photos / "train" / "cat" / "9.jpg").symlink_to(photos / "nowhere")
  with pytest.raises(data.DataError, match=r"train/cat/9\.jpg can't be read: No such file"):
    data.content("folder", str(photos))


def test_files_outside_the_class_folders_are_counted(photos, capfd):
  (photos / "train" / "stray.jpg").write_bytes(b"")
  data.examples(data.find("folder", str(photos)), str(photos))
  assert "3 files are skipped" in capfd.readouterr().err
