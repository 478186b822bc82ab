"""Fixtures of the tests of data."""

import pytest
from stripes import Stripes


@pytest.fixture
def data_dir(tmp_path):
  """Where TFDS has prepared `stripes.SPEC`."""
  builder = Stripes(data_dir=tmp_path, file_format="array_record")
  builder.download_and_prepare()
  return str(tmp_path)
