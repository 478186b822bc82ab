"""Files are written whole or not at all, and identified by their content."""

import concurrent.futures
import errno
import os

import pytest

from jaxkd.common.errors import FileError
from jaxkd.common.files import file_hash, write_atomically


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "result.json"
  write_atomically(path, "old")

  def full(_):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(FileError, match=r"can't write .*result.json: No space"):
    write_atomically(path, "new")
  assert path.read_text() == "old"
  assert list(tmp_path.iterdir()) == [path]


def test_concurrent_writes_leave_one_whole_file(tmp_path):
  path = tmp_path / "config.json"
  texts = [str(number) * 1000 for number in range(8)]
  with concurrent.futures.ThreadPoolExecutor(len(texts)) as pool:
    for _ in range(20):
      list(pool.map(lambda text: write_atomically(path, text), texts))
  assert path.read_text() in texts
  assert list(tmp_path.iterdir()) == [path]


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
