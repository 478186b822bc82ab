"""Files of saved logits are read, or refused in one line."""

import io
import struct
import zipfile

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from foreign_files import assert_read_or_refused, assert_refused, damaged, fuzzed

from jaxkd.analysis import saved
from jaxkd.common import files
from jaxkd.common.errors import FileError

LABELS = np.array([0, 1, 2, 0])
LOGITS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
BODY = LOGITS.tobytes()


def npy(descr="'<f4'", shape="(4, 3)", body=BODY):
  """An array's file with any header."""
  header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
  return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def npz(logits, method=zipfile.ZIP_STORED):
  """An archive of logits, as given, and sound labels."""
  content = io.BytesIO()
  with zipfile.ZipFile(content, "w", method) as archive:
    archive.writestr("logits.npy", logits)
    archive.writestr("labels.npy", npy("'<i8'", "(4,)", LABELS.tobytes()))
  return content.getvalue()


def with_header_byte(archive, local, central, value):
  """Changes a byte of every header of a ZIP archive."""
  changed = bytearray(archive)
  for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
    at = changed.find(signature)
    while at >= 0:
      changed[at + offset] = value
      at = changed.find(signature, at + 1)
  return bytes(changed)


@pytest.fixture
def read(tmp_path):
  """Returns a function that reads a study of a sound file and a file with the given content."""
  np.savez(tmp_path / "sound.npz", logits=LOGITS, labels=LABELS)

  def run(content):
    (tmp_path / "other.npz").write_bytes(content)
    return saved.read([tmp_path / "sound.npz", tmp_path / "other.npz"])

  return run


def test_the_hand_made_file_is_sound(read):
  np.testing.assert_array_equal(read(npz(npy())).teachers[1].logits, LOGITS)


@pytest.mark.parametrize(
  ("values", "found"),
  [
    ([[0.2, 0.3, 0.5], [1, 0, 0]], True),
    ([[0.2, 0.3, 0.5], [1, 1, 0]], False),
    ([[0.2, 0.3, 0.5], [2, -1, 0]], False),
    (np.log([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]), False),
  ],
)
def test_probabilities_are_told_from_logits_and_log_probabilities(values, found):
  assert saved.are_probabilities(np.asarray(values)) == found


def test_a_report_says_that_logits_are_log_probabilities(read):
  """A constant added to the logits changes ATS' and ISATS' labels."""
  content = io.BytesIO()
  log_probs = LOGITS - np.log(np.exp(LOGITS).sum(axis=-1, keepdims=True))
  np.savez(content, logits=log_probs, labels=LABELS)
  (said,) = read(content.getvalue()).approximations
  assert said.startswith("other has log-probabilities")


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (with_header_byte(npz(npy()), 6, 8, 1), "is encrypted, password required"),
    (with_header_byte(npz(npy()), 8, 10, 99), "compression method is not supported"),
    (npz(npy(shape=f"({10**14}, 3)")), "Unable to allocate"),
    (npz(npy(shape=f"({2**70}, 3)")), "too large"),
    (npz(npy(shape="(-4, 3)")), "negative dimensions"),
    (npz(npy(shape="(True, 3)")), "not a sound .npz file"),
    (npz(npy(shape="(99, 3)")), "expected 1188 bytes got 48"),
    (npz(npy(descr="-" * 9000 + "1")), "not a sound .npz file"),
    (npz(npy(descr="'|O'")), "it has Python objects, which are never loaded"),
    (npz(npy(descr="[('a', '<f4')]")), "logits are of type [('a', '<f4')], must be numbers"),
    (npz(npy(descr="'<c8'", body=bytes(96))), "logits are of type complex64, must be numbers"),
    (npz(b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4 \n"), "not a sound .npz file"),
    (npz(b"no array"), "logits is not an array"),
    (npz(b"\x80\x04N."), "logits is not an array"),
    (b"\x80\x04N.", "it has Python objects, which are never loaded"),
    (npy(shape=f"({10**14},)"), "Unable to allocate 364. TiB"),
    (npy() + b"\x00" * 9, "holds one array, must be a .npz file"),
  ],
)
def test_a_damaged_file_is_named(read, content, message):
  assert_refused(lambda: read(content), message, FileError)
  assert_refused(lambda: read(content), "other.npz", FileError)


@pytest.mark.parametrize(
  ("arrays", "message"),
  [
    ({"labels": np.zeros(4, [("a", "i4")])}, "labels are of type [('a', '<i4')], must be numbers"),
    ({"class_names": np.array([b"a", b"b", b"c"])}, "class_names are of type |S1, must be text"),
    ({"class_names": np.array(["a", "b"])}, "2 class_names for 3 classes"),
  ],
)
def test_arrays_of_other_types_are_refused(read, arrays, message):
  content = io.BytesIO()
  np.savez(content, **{"logits": LOGITS, "labels": LABELS, **arrays})
  assert_refused(lambda: read(content.getvalue()), message, FileError)


def test_a_bomb_is_refused_before_it_is_unpacked(read, monkeypatch):
  monkeypatch.setattr(files, "_BOMB_BYTES", 10_000)
  packed = npz(npy(shape="(1000000, 3)", body=bytes(12_000_000)), zipfile.ZIP_DEFLATED)
  assert_refused(lambda: read(packed), "must be under 100 times its size", FileError)


def test_class_names_of_a_file_are_single_lines(read):
  content = io.BytesIO()
  names = np.array(["two\nlines", "\x1b[2J", "not text \udcff"])
  np.savez(content, logits=LOGITS, labels=LABELS, class_names=names)
  assert read(content.getvalue()).class_names == ("two lines", r"\x1b[2J", r"not text \udcff")


@fuzzed(150)
@hypothesis.given(damaged(npz(npy()), npz(npy(), zipfile.ZIP_DEFLATED), npy()))
def test_damaged_archives_are_read_or_refused(read, content):
  assert_read_or_refused(lambda: read(content), FileError)


_WORDS = st.sampled_from(["'<f4'", "'<q9'", "'|O'", "(4, 3)", "(,)", "{}", "[", "-1", "9**9", "x"])


@fuzzed(60)
@hypothesis.given(_WORDS | st.text(max_size=9), _WORDS | st.text(max_size=9))
def test_headers_of_any_text_are_read_or_refused(read, descr, shape):
  assert_read_or_refused(lambda: read(npz(npy(descr, shape))), FileError)
