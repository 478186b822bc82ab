"""Fixtures for the tests of data."""

import os
import signal

import pytest
from stripes import Stripes


@pytest.fixture
def data_dir(tmp_path):
  """Returns the folder in which TFDS has prepared `stripes.SPEC`."""
  builder = Stripes(data_dir=tmp_path, file_format="array_record")
  builder.download_and_prepare()
  return str(tmp_path)


@pytest.fixture
def terminate():
  """Returns a function that sends SIGTERM to this process, which must have a handler for it."""

  def send():
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    os.kill(os.getpid(), signal.SIGTERM)

  return send
