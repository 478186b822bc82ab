"""Stored predictions are the logits, or are as far from them as it is said."""

import numpy as np
import pytest

from jaxkd.common.files import FileError
from jaxkd.training.predictions import Predictions, PredictionsError, Storage, part_of

RANDOM = np.random.default_rng(0)
LOGITS = (4 * RANDOM.normal(size=(30, 10))).astype(np.float32)
FEATURES = RANDOM.normal(size=(30, 4)).astype(np.float32)
LABELS = np.where(np.arange(30) % 5, LOGITS.argmax(axis=1), LOGITS.argmin(axis=1))


def softmax(logits, tau=1.0):
  powers = np.exp(logits.astype(np.float64) / tau)
  return powers / powers.sum(axis=-1, keepdims=True)


def test_float32_keeps_every_bit_of_logits_and_features():
  storage = Storage(10, features=4)
  outputs = storage.unpack(storage.pack(LOGITS, FEATURES))
  np.testing.assert_array_equal(outputs.logits, LOGITS)
  np.testing.assert_array_equal(outputs.features, FEATURES)
  assert storage.exact
  assert storage.example_bytes == 4 * 14


def test_float16_rounds_and_its_error_is_that_of_the_labels():
  storage = Storage(10, "float16")
  assert not storage.exact
  rounded = LOGITS.astype(np.float16).astype(np.float32)
  np.testing.assert_array_equal(storage.unpack(storage.pack(LOGITS, None)).logits, rounded)
  for tau, name in ((1.0, "tau 1"), (4.0, "tau 4")):
    expected = np.abs(softmax(LOGITS, tau) - softmax(rounded, tau)).sum(axis=1) / 2
    np.testing.assert_allclose(storage.errors(LOGITS)[name], expected, atol=1e-6)


def test_the_largest_logits_are_kept_and_the_rest_shares_its_mass():
  storage = Storage(10, top=3)
  logits = np.asarray(storage.unpack(storage.pack(LOGITS, None)).logits)
  order = np.argsort(-LOGITS, axis=1)
  expected = softmax(LOGITS)
  for row, own in enumerate(order):
    rest = own[3:]
    np.testing.assert_array_equal(logits[row, own[:3]], LOGITS[row, own[:3]])
    expected[row, rest] = expected[row, rest].sum() / len(rest)
  np.testing.assert_allclose(softmax(logits), expected, rtol=1e-5)
  lost = np.abs(softmax(LOGITS) - expected).sum(axis=1) / 2
  np.testing.assert_allclose(storage.errors(LOGITS)["tau 1"], lost, atol=1e-6)


@pytest.mark.parametrize(
  ("value", "dtype", "message"),
  [(np.nan, "float32", "not finite$"), (1e5, "float16", "float16 ends at 65504")],
)
def test_numbers_that_are_not_finite_are_refused(value, dtype, message):
  logits = LOGITS.copy()
  logits[3, 2] = value
  with pytest.raises(PredictionsError, match=message):
    Storage(10, dtype).pack(logits, None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """An empty folder of predictions of 30 examples, in shards of 16 and 14."""
  monkeypatch.setattr("jaxkd.training.predictions._SHARD_BYTES", 16 * 40)
  about = {"views": 2, "examples": 30, "storage": {"classes": 10}, "teacher": "t"}
  return Predictions.create(tmp_path / "predictions", about)


def write(folder, part, calls=None, fail_at=None):
  def outputs(start, stop):
    if start == fail_at:
      raise RuntimeError("killed")
    if calls is not None:
      calls.append((start, stop))
    return LOGITS[start:stop], None

  folder.write_part(part, 8, outputs, LABELS)


def test_an_interrupted_part_is_not_read_and_goes_on_at_its_first_missing_shard(folder):
  part = part_of(0)
  with pytest.raises(RuntimeError, match="killed"):
    write(folder, part, fail_at=16)
  assert not folder.has(part)
  with pytest.raises(PredictionsError, match="is not finished: 'view-000' is missing"):
    Predictions(folder.path).arrays(part)
  calls = []
  write(folder, part, calls)
  assert calls == [(16, 30)]
  np.testing.assert_array_equal(Predictions(folder.path).arrays(part)["logits"], LOGITS)
  assert folder.facts(part)["accuracy"] == pytest.approx(0.8)
  assert folder.finished == [part]


def test_shards_of_another_batch_size_are_not_mixed_up(folder, monkeypatch):
  write(folder, part_of(0))
  (folder.path / "view-000.json").unlink()
  # Shards of 14, 14 and 2 examples; the second one of before has 14, too, but not the same ones.
  monkeypatch.setattr("jaxkd.training.predictions._SHARD_BYTES", 14 * 40)
  calls = []
  folder.write_part(
    part_of(0), 14, lambda *rows: calls.append(rows) or (LOGITS[slice(*rows)], None), LABELS
  )
  assert calls == [(0, 14), (14, 28), (28, 30)]
  np.testing.assert_array_equal(Predictions(folder.path).arrays(part_of(0))["logits"], LOGITS)


def test_a_changed_byte_is_noticed(folder):
  write(folder, part_of(1))
  file = folder.path / "view-001-00000016.safetensors"
  content = bytearray(file.read_bytes())
  content[-1] ^= 1
  file.write_bytes(content)
  with pytest.raises(PredictionsError, match=r"view-001-00000016\.safetensors is damaged"):
    folder.arrays(part_of(1))


def test_a_folder_of_other_predictions_is_refused(folder, tmp_path):
  with pytest.raises(PredictionsError, match="they differ in 'teacher'"):
    Predictions.create(folder.path, {**folder.about, "teacher": "u"})
  with pytest.raises(PredictionsError, match=r"has no predictions\.json"):
    Predictions(tmp_path)
  (folder.path / "predictions.json").write_text("{}")
  with pytest.raises(FileError, match="is damaged"):
    Predictions(folder.path)
