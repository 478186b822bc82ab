"""Data sets that differ from the published set of their name."""

import dataclasses
import pathlib
import shutil

import pytest
from stripes import SIZES, SPEC, Stripes

from jaxkd import data
from jaxkd.data import base
from jaxkd.runs import paper, planning

OTHER_IMAGES = "the images are not the published ones"


@pytest.fixture
def published(monkeypatch):
  """Returns a function that declares the published sizes of `stripes`."""

  def publish(**changes):
    base.tell_once.cache_clear()
    spec = dataclasses.replace(SPEC, sizes=tuple(SIZES.values()), **changes)
    monkeypatch.setitem(data.SPECS, "stripes", spec)

  return publish


@pytest.fixture
def config(tiny_config, data_dir):
  tiny_config.data.name, tiny_config.data.data_dir = "stripes", data_dir
  return tiny_config


@pytest.mark.parametrize("missing", [False, True])
def test_a_published_or_missing_set_is_identified_by_its_name(published, config, missing, capfd):
  published()
  if missing:
    shutil.rmtree(pathlib.Path(config.data.data_dir, "stripes"))
  described = planning.phases(config, "nokd")[0].data
  assert (described["content"], described["class_names"]) == ("", None)
  assert not capfd.readouterr().err


def test_a_subset_is_identified_by_its_content(published, config, capfd):
  published(num_classes=4)
  phase = planning.student(config, "nokd", 0)
  assert planning.student(config, "nokd", 1).data == phase.data
  assert phase.data["content"]
  assert phase.data["class_names"] == ["a", "b", "c"]
  assert planning.spec_of(phase).num_classes == 4
  err = capfd.readouterr().err
  assert err.count("not the published set") == 1
  assert (
    "stripes has 3 of 4 classes, 23 of 23 images to train on, 10 of 10 to test on: not"
  ) in err
  # The hash is cached.
  assert planning.student(config, "nokd", 0).identity == phase.identity
  assert "23/23" not in capfd.readouterr().err


def test_subsets_of_equal_size_have_different_contents(published, config, monkeypatch):
  published(num_classes=4)
  before = data.content("stripes", config.data.data_dir)
  again = pathlib.Path(config.data.data_dir, "again")
  Stripes(data_dir=again, file_format="array_record").download_and_prepare()
  assert data.content("stripes", str(again)) == before
  generate = Stripes._generate_examples

  def others(builder, split):
    for number, example in generate(builder, split):
      yield number, example | {"label": (example["label"] + 1) % 3}

  monkeypatch.setattr(Stripes, "_generate_examples", others)
  other = pathlib.Path(config.data.data_dir, "other")
  Stripes(data_dir=other, file_format="array_record").download_and_prepare()
  assert data.content("stripes", str(other)) not in ("", before)


def test_an_unpublished_set_is_a_difference_from_the_paper(published, config, monkeypatch):
  monkeypatch.setitem(paper.TEACHERS, "stripes", ("mlp", "mlp"))
  published()
  assert OTHER_IMAGES not in paper.differences(config)
  published(num_classes=4)
  assert OTHER_IMAGES in paper.differences(config)


def test_digits_have_the_published_sizes():
  spec = data.SPECS["digits"]
  assert tuple(map(len, data.examples(spec))) == spec.sizes


def test_every_prepared_set_states_its_published_sizes():
  for spec in data.SPECS.values():
    assert all(part.sizes for part in spec.domains or (spec,) if part.builder)
