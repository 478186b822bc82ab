"""Files are written whole or not at all, and identified by their content."""

import concurrent.futures
import contextlib
import fcntl
import subprocess
import sys

import pytest

from jaxkd.common.errors import FileError
from jaxkd.common.files import (
  DamagedError,
  append_json_line,
  file_hash,
  read_json,
  read_json_lines,
  remove_leftovers,
  temporary_path,
  write_atomically,
  write_json,
  write_together,
)
from tests.faults import FAULTS


def test_a_full_disk_leaves_the_old_file(tmp_path, full_disk):
  path = tmp_path / "result.json"
  write_json(path, {"steps": 3})
  with full_disk(), pytest.raises(FileError, match=r"can't write .*result.json: File too large"):
    write_json(path, {"steps": 4})
  assert read_json(path, "") == {"steps": 3}
  assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_a_full_disk_cuts_is_found(tmp_path, full_disk):
  path = tmp_path / "metrics.jsonl"
  append_json_line(path, {"step": 3})
  with (
    full_disk(path.stat().st_size + 5),
    pytest.raises(FileError, match=r"can't write .*metrics.jsonl: File too large"),
  ):
    append_json_line(path, {"step": 4})
  assert read_json_lines(path) == ([{"step": 3}], 1)


def test_leftovers_of_killed_writers_are_removed_and_no_other_file(tmp_path):
  path = tmp_path / "result.json"
  script = f"""
import os, pathlib, sys
from jaxkd.common import files
os.fsync = lambda _: (print(flush=True), sys.stdin.read())
files.write_atomically(pathlib.Path({str(path)!r}), "")
"""
  writer = subprocess.Popen(
    [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
  )
  with writer:
    writer.stdout.readline()
    others = [tmp_path / name for name in ("result.json.tmp", "x.tmp", f"x.{'0' * 31}.tmp")]
    for other in others:
      other.write_text("")
    (left,) = set(tmp_path.iterdir()) - set(others)
    # The process still writes it.
    remove_leftovers(tmp_path)
    assert left.exists()
    writer.kill()
  write_atomically(path, "new")
  assert set(tmp_path.iterdir()) == {path, *others}


OBJECT = {"test": {"accuracy": 0.5}, "steps": 3, "names": ["a", "é"], "nan": None}


def test_no_flipped_bit_changes_an_object(tmp_path):
  path = tmp_path / "result.json"
  write_json(path, OBJECT)
  content = path.read_bytes()
  for index in range(8 * len(content)):
    flipped = bytearray(content)
    flipped[index // 8] ^= 1 << index % 8
    path.write_bytes(flipped)
    with contextlib.suppress(DamagedError):
      assert read_json(path, "") == OBJECT


@pytest.mark.parametrize("content", [b"[" * 100_000, b"1" * 5000, b"null", b'{"crc32": 0}'])
def test_json_without_a_checksum_is_refused(content, tmp_path):
  path = tmp_path / "result.json"
  path.write_bytes(content)
  with pytest.raises(DamagedError):
    read_json(path, "")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_damaged_object_is_refused_with_the_remedy(fault, tmp_path):
  path = tmp_path / "result.json"
  write_json(path, OBJECT)
  path.write_bytes(fault(path.read_bytes()))
  with pytest.raises(DamagedError, match=r"result.json is damaged, or .*; remove it$"):
    read_json(path, "remove it")


def test_concurrent_writes_leave_one_whole_file(tmp_path):
  path = tmp_path / "config.json"
  texts = [str(number) * 1000 for number in range(8)]
  with concurrent.futures.ThreadPoolExecutor(len(texts)) as pool:
    for _ in range(20):
      list(pool.map(lambda text: write_atomically(path, text), texts))
  assert path.read_text() in texts
  assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_that_was_created_anew_is_no_leftover(tmp_path, monkeypatch):
  path = temporary_path(tmp_path / "config.json", "0" * 32)
  path.write_text("removed")
  lock = fcntl.flock

  def late(file, how):
    # Meanwhile another process removes the file, and its writer begins again.
    path.unlink()
    path.write_text("new")
    lock(file, how)

  monkeypatch.setattr(fcntl, "flock", late)
  remove_leftovers(tmp_path)
  assert path.read_text() == "new"


def test_files_of_equal_content_have_equal_hashes(tmp_path):
  first, same, other = (tmp_path / name for name in ("first", "same", "other"))
  for path, content in ((first, b"a"), (same, b"a"), (other, b"b")):
    path.write_bytes(content)
  assert file_hash(str(first)) == file_hash(str(same)) != file_hash(str(other))
  with pytest.raises(FileError, match=r"can't read .*nowhere: No such file"):
    file_hash(str(tmp_path / "nowhere"))


def test_a_changed_file_has_a_new_hash(tmp_path):
  path = tmp_path / "weights"
  path.write_bytes(b"a")
  before = file_hash(str(path))
  path.write_bytes(b"bb")
  assert file_hash(str(path)) != before


def test_files_that_belong_together_are_replaced_together(tmp_path, full_disk):
  small, large = tmp_path / "small", tmp_path / "large"
  write_together({small: "old", large: "old"})
  with full_disk(100), pytest.raises(FileError, match=f"can't write {large}: File too large"):
    write_together({small: "new", large: "new" * 100})
  assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
    "small": "old",
    "large": "old",
  }
