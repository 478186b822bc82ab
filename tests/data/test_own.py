"""A user's data sets: registered, or named as `module:attribute`."""

import hashlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stripes import SPEC, Stripes

from jaxkd import data
from jaxkd.data import registry


@pytest.fixture(autouse=True)
def _registrations_are_undone(monkeypatch):
  monkeypatch.setattr(registry, "_OWN", {})


def _split(size, channels=3, seed=0, classes=3):
  random = np.random.default_rng((seed, size))
  images = random.integers(0, 256, (size, 8, 8, channels), np.uint8)
  return images, np.arange(size) % classes


class Source:
  """An indexable source, as Grain's and TFDS's are."""

  def __init__(self, images, labels):
    self.images, self.labels = images, labels

  def __len__(self):
    return len(self.labels)

  def __getitem__(self, index):
    return {"image": self.images[index], "label": self.labels[index], "id": index}


def _load():
  return _split(12), _split(6)


FORMS = pytest.mark.parametrize(
  "load",
  [
    _load,
    _load(),
    lambda: [Source(*_split(12)), Source(*_split(6))],
    (_split(12), Source(*_split(6))),
  ],
  ids=["function", "arrays", "sources", "both"],
)


@FORMS
def test_arrays_and_sources_are_read_alike(load):
  data.register("mine", load)
  spec = data.find("mine")
  assert (spec.num_classes, spec.image_size, spec.channels) == (3, 8, 3)
  assert (spec.padding, spec.flip, spec.resize) == (0, False, 0)
  assert (spec.mean, spec.std) == (data.SPECS["cub"].mean, data.SPECS["cub"].std)
  for loader in ("resident", "streamed"):
    splits = data.read(spec, loader=loader)
    for split, expected in zip(splits, (_split(12), _split(6)), strict=True):
      arrays = split if loader == "resident" else split.load()
      np.testing.assert_array_equal(arrays.images, expected[0])
      np.testing.assert_array_equal(arrays.labels, expected[1], strict=False)
      assert arrays.labels.dtype == np.int32
  assert data.class_names(spec) == ("0", "1", "2")


@FORMS
def test_the_content_hashes_images_and_labels_only(load):
  data.register("mine", load, flip=True)
  data.register("other", _load)
  assert data.content("mine") == data.content("other") != ""
  digests = []
  for images, labels in _load():
    parts = (b"(8, 8, 3)", images.tobytes(), labels.astype("<i4").tobytes())
    digests.append(hashlib.sha256(b"".join(parts)).hexdigest())
  assert data.content("mine") == hashlib.sha256(" ".join(digests).encode()).hexdigest()[:12]


@pytest.mark.parametrize("change", ["image", "label", "test image", "order"])
def test_a_changed_example_changes_the_content(change):
  (images, labels), test = _load()
  if change == "image":
    images[3, 4, 5, 1] ^= 1
  elif change == "label":
    labels[0] = 1
  elif change == "order":
    images, labels = images[::-1], labels[::-1]
  else:
    test[0][0, 0, 0, 0] ^= 1
  data.register("mine", _load)
  before = data.content("mine")
  data.register("mine", ((images, labels), test))
  assert data.content("mine") != before


def test_the_identity_has_every_field_that_determines_results():
  names, mean, std = ("x", "y", "z"), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
  data.register("mine", _load, class_names=names, mean=mean, std=std, padding=2, flip=True)
  identity = data.identity("mine")
  assert json.loads(json.dumps(identity)) == identity
  assert identity == {
    "name": "mine",
    "num_classes": 3,
    "image_size": 8,
    "channels": 3,
    "mean": list(mean),
    "std": list(std),
    "padding": 2,
    "flip": True,
    "resize": 0,
    "class_names": list(names),
    "content": data.content("mine"),
    "decoding": data.cache.VERSION,
  }
  data.register("mine", _load)
  assert data.identity("mine")["class_names"] is None


@pytest.mark.parametrize("form", [lambda *split: split, Source])
def test_two_channel_images_are_normalised_by_measured_mean_and_std(form, capfd):
  train, test = _split(12, channels=2), _split(6, channels=2)
  train[0][..., 1] //= 3
  data.register("mine", (form(*train), form(*test)))
  spec = data.find("mine")
  pixels = train[0] / 255
  np.testing.assert_allclose(spec.mean, pixels.mean((0, 1, 2)), atol=1e-4)
  np.testing.assert_allclose(spec.std, pixels.std((0, 1, 2)), atol=1e-4)
  assert "data set 'mine': measured on train: mean" in capfd.readouterr().err
  got = data.normalize(jnp.asarray(train[0]), spec)
  np.testing.assert_allclose(got.mean((0, 1, 2)), 0, atol=1e-3)


def test_padding_and_flip_augment_the_images():
  data.register("mine", _load, padding=2, flip=True, mean=(0.5,) * 3, std=(0.25,) * 3)
  spec = data.find("mine")
  train, _ = data.read(spec)
  views = data.augment(jnp.asarray(train.images), spec, jax.random.key(0))
  assert views.shape == train.images.shape
  assert np.any(views != train.images)


def test_a_source_of_tfds_is_read(data_dir):
  builder = Stripes(data_dir=data_dir, file_format="array_record")
  builder.download_and_prepare()
  sources = [builder.as_data_source(split) for split in ("train", "test")]
  data.register("mine", sources)
  expected = data.load(SPEC, data_dir)
  for split, arrays in zip(data.load(data.find("mine")), expected, strict=True):
    np.testing.assert_array_equal(split.images, arrays.images)
    np.testing.assert_array_equal(split.labels, arrays.labels)


def test_sources_and_arrays_give_equal_batches():
  sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  key = jax.device_put(jax.random.key(1), sharding)
  batches = []
  for load in (_load, (Source(*_split(12)), Source(*_split(6)))):
    data.register("mine", load)
    for kind in ("resident", "streamed"):
      split, _ = data.read(data.find("mine"), loader=kind)
      if kind == "resident":
        split = jax.tree.map(jnp.asarray, split)
      loader = data.train_loader(split, 5, key, sharding, workers=0)
      batch = data.batch_at(loader.source(3), jnp.int32(3), 5)
      batches.append((np.array(batch.images), np.array(batch.labels)))
      loader.close()
  for images, labels in batches[1:]:
    np.testing.assert_array_equal(images, batches[0][0])
    np.testing.assert_array_equal(labels, batches[0][1])


_MODULE = """
import numpy as np
from jaxkd import data

calls = []

def load():
  calls.append(1)
  labels = np.arange(8) % 2
  images = np.full((8, 4, 4, 3), 100, np.uint8)
  return (images, labels), (images, labels)

thing = data.register("of_module", load, class_names=("a", "b"), flip=True)
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
  (tmp_path / "own_package").mkdir()
  (tmp_path / "own_package" / "images.py").write_text(_MODULE)
  (tmp_path / "own_package" / "broken.py").write_text("import no_such_module")
  monkeypatch.syspath_prepend(tmp_path)
  yield "own_package.images"
  for name in [name for name in sys.modules if name.startswith("own_package")]:
    del sys.modules[name]


def test_a_data_set_is_found_by_module_and_attribute(module):
  spec = data.find(f"{module}:load")
  assert (spec.name, spec.num_classes, spec.flip) == (f"{module}:load", 2, False)
  assert data.load(spec)[0].images.shape == (8, 4, 4, 3)
  data.identity(spec.name)
  assert len(sys.modules[module].calls) == 1
  spec = data.find(f"{module}:thing")
  assert (spec.name, spec.flip) == (f"{module}:thing", True)
  assert data.class_names(spec) == ("a", "b")
  assert data.find("of_module").flip
  assert data.content(f"{module}:load") == data.content("of_module")


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("own_package.images:lod", r"'lod' is not in own_package\.images; did you mean 'load'"),
    ("own_package.images:number", r"is a int, must be a function load\(\) -> \(train, test\)"),
    ("own_package.nothing:load", r"can't import 'own_package\.nothing': No module named"),
    ("own_package.broken:load", r"'own_package\.broken': .*, line 1: .* No module named 'no_such"),
    (":load", "must be MODULE:ATTRIBUTE"),
  ],
)
def test_a_wrong_address_is_refused_in_one_line(module, name, message):
  with pytest.raises(data.DataError, match=message) as error:
    data.find(name)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["digits", "folder", "svhn_cropped", "a b", "a+b", "x:y", ""])
def test_a_taken_or_malformed_name_is_refused(name):
  with pytest.raises(data.DataError, match="can't be registered as"):
    data.register(name, _load)


def test_a_registered_name_is_suggested():
  data.register("my_flowers", _load)
  with pytest.raises(data.DataError, match="did you mean 'my_flowers'"):
    data.find("my_flower")


def _images(*shape, dtype=np.uint8):
  return np.zeros(shape, dtype)


def _labels(size=6, classes=2):
  return np.arange(size) % classes


GOOD = (_images(6, 4, 4, 3), _labels())


@pytest.mark.parametrize(
  ("train", "options", "message"),
  [
    ((_images(6, 4, 4, 3, dtype=np.float32), _labels()), {}, r"float32 .* must be uint8 \[N, S"),
    ((_images(6, 4, 4), _labels()), {}, r"uint8 \(6, 4, 4\), must be uint8 \[N, S, S, C\]"),
    ((_images(6, 4, 5, 3), _labels()), {}, r"train images are \(4, 5, 3\), test images"),
    ((_images(6, 4, 4, 3), _labels(5)), {}, r"labels are int64 \(5,\), must be integers \(6,\)"),
    ((_images(6, 4, 4, 3), _labels()[:, None]), {}, r"labels are int64 \(6, 1\)"),
    ((_images(6, 4, 4, 3), _labels() / 2), {}, r"labels are float64 \(6,\), must be integers"),
    ((_images(6, 4, 4, 3), _labels() - 1), {}, r"a label is -1, must be in \[0,"),
    ((_images(6, 4, 4, 3), _labels() + 2**40), {}, r"a label is \d+, must be in \[0,"),
    ((_images(6, 4, 4, 3), _labels() * 2), {}, r"no training image has label 1, but one has 2"),
    ((_images(6, 4, 4, 3), _labels() * 0), {}, r"it has 1 class, must have 2 or more"),
    ((_images(0, 4, 4, 3), _labels(0)), {}, r"train: there are no images"),
    ([], {}, r"train: there are no images"),
    (3, {}, r"a int must be \(images, labels\), or a source"),
    (Source(_images(6, 4, 4), _labels()), {}, r"an image has shape \(4, 4\), must be \[S, S, C\]"),
    (
      Source(_images(6, 4, 4, 3, dtype=np.int64), _labels()),
      {},
      r"train: example 0 has an image of int64 \(4, 4, 3\), must be uint8 \(4, 4, 3\)",
    ),
    (
      Source([_images(4, 4, 3), _images(5, 4, 3)], [0, 1]),
      {},
      r"train: example 1 has an image of uint8 \(5, 4, 3\), must be uint8 \(4, 4, 3\)",
    ),
    (Source(_images(2, 4, 4, 3), [0, -1]), {}, r"train: example 1: a label is -1"),
    (Source(_images(2, 4, 4, 3), [0, [1]]), {}, r"example 1: labels are int64 \(1,\)"),
    ([{"img": 0, "label": 0}] * 3, {}, r"example 0 is a dict of 2, must be a dict with 'image'"),
    (GOOD, {"class_names": ("a",)}, r"it has 1 class, must have 2"),
    (GOOD, {"class_names": ("a", "a")}, r"class_names are \['a', 'a'\], must be different"),
    (GOOD, {"class_names": (1, 2)}, r"must be different strings"),
    (
      (_images(6, 4, 4, 3), _labels(classes=3)),
      {"class_names": ("a", "b")},
      r"a train image has label 2, but there are 2 classes",
    ),
    (GOOD, {"mean": (0.5,) * 3}, r"mean and std must be given together"),
    (GOOD, {"mean": (0.5,), "std": (0.5,)}, r"must be 3 numbers each"),
    (GOOD, {"mean": (120,) * 3, "std": (60,) * 3}, r"of pixels scaled to \[0, 1\]"),
    (GOOD, {"mean": (0.5,) * 3, "std": (0.0,) * 3}, r"std above 0"),
    (GOOD, {"mean": (float("nan"),) * 3, "std": (0.5,) * 3}, r"must be 3 numbers each"),
    (GOOD, {"padding": 4}, r"padding is 4, must be in \[0, 4\)"),
  ],
)
def test_malformed_data_is_refused_in_one_line(train, options, message):
  data.register("mine", (train, GOOD), **options)
  with pytest.raises(data.DataError, match=message) as error:
    data.find("mine")
  assert str(error.value).startswith("data set 'mine'")
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("load", "message"),
  [
    (lambda: {"train": GOOD}, r"load gives a dict of 1, must give \(train, test\)"),
    (lambda: None, r"load gives a NoneType, must give"),
    ((GOOD, GOOD, GOOD), r"load gives a tuple of 3"),
    ((GOOD, (_images(6, 8, 8, 3), _labels())), r"train images are \(4, 4, 3\), test images \(8"),
    ((GOOD, (_images(6, 4, 4, 3), _labels() + 1)), r"a test image has label 2, but .* 2 classes"),
    (((_images(6, 4, 4, 1), _labels()),) * 2, r"std \(0\.0,\), must be 1 numbers each"),
    (((_images(6, 4, 5, 3), _labels()),) * 2, r"images are 4x5, must be squares"),
  ],
)
def test_malformed_splits_are_refused(load, message):
  data.register("mine", load)
  with pytest.raises(data.DataError, match=message):
    data.find("mine")


@pytest.mark.parametrize(
  ("load", "reason"),
  [
    (lambda a, b: (GOOD, GOOD), "missing 2 required positional arguments: 'a' and 'b'"),
    (lambda: GOOD[0].nothing, r"test_own\.py, line \d+: AttributeError: .* 'nothing'"),
  ],
)
def test_a_load_function_that_fails_is_one_line(load, reason):
  data.register("mine", load)
  message = rf"^data set 'mine': load\(\) must give \(train, test\), but fails: .*{reason}$"
  with pytest.raises(data.DataError, match=message):
    data.find("mine")


def test_a_source_that_fails_is_one_line():
  source = Source(*GOOD)
  source.images = source.images[:4]
  data.register("mine", (source, GOOD))
  message = r"train: example 4 can't be read: .*test_own\.py, line \d+: IndexError: index 4 is out"
  with pytest.raises(data.DataError, match=message) as error:
    data.find("mine")
  assert "\n" not in str(error.value)
