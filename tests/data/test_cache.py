"""A damaged cache never gives other examples."""

import numpy as np
import pytest

from jaxkd.data import cache
from jaxkd.data.base import InMemory
from tests.faults import FAULTS

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), np.uint8)
LABELS = RNG.integers(0, 5, 12).astype(np.int32)
FILES = ("images.npy", "labels.npy", "crc32.json")


def assert_loaded(path):
  found = cache.load(InMemory(IMAGES, LABELS, ()), path)
  np.testing.assert_array_equal(found.images, IMAGES)
  np.testing.assert_array_equal(found.labels, LABELS)
  assert found.labels.dtype == np.int32


def rewrite(file, content):
  # The old file is mapped into memory.
  file.unlink()
  file.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_decoded_again(name, tmp_path, capfd):
  assert_loaded(tmp_path / "split")
  (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
  content = (folder / name).read_bytes()
  for fault in FAULTS.values():
    rewrite(folder / name, fault(content))
    assert_loaded(tmp_path / "split")
    assert (folder / name).read_bytes() == content
  said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("jaxkd: ")]
  assert said == [f"jaxkd: {folder} is damaged: decoding again"] * len(FAULTS)


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_changes_an_example(name, tmp_path):
  assert_loaded(tmp_path / "split")
  (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
  content = (folder / name).read_bytes()
  # "<i4" and ">i4" in the header differ by one bit.
  bits = {8 * content.find(b"<i4") + 1, *RNG.integers(0, 8 * len(content), 60).tolist()}
  for bit in bits:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    rewrite(folder / name, flipped)
    assert_loaded(tmp_path / "split")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_damaged_text_is_computed_again(fault, tmp_path):
  path = tmp_path / "content.sha256"
  assert cache.text(path, lambda: "known") == "known"
  assert cache.text(path, lambda: "other") == "known"
  path.write_bytes(fault(path.read_bytes()))
  assert cache.text(path, lambda: "again") == "again"
  assert cache.text(path, lambda: "other") == "again"
