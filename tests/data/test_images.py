"""Image files are read as a viewer shows them, or refused by name."""

import io
import json
import os
import struct
import zlib

import hypothesis
import numpy as np
import pytest
import stripes
from foreign_files import assert_read_or_refused, damaged, fuzzed
from PIL import Image

from jaxkd import data
from jaxkd.data import folder, images, preparation

_PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)

_UPRIGHT = {
  1: lambda a: a,
  2: lambda a: a[:, ::-1],
  3: lambda a: a[::-1, ::-1],
  4: lambda a: a[::-1],
  5: lambda a: a.swapaxes(0, 1),
  6: lambda a: np.rot90(a, -1),
  7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
  8: lambda a: np.rot90(a),
}
"""The upright image of stored pixels, by EXIF's definition of each orientation."""

ORIENTATIONS = pytest.mark.parametrize("orientation", range(1, 9))


def _saved(picture, file_format, **options):
  file = io.BytesIO()
  picture.save(file, file_format, **options)
  return file.getvalue()


def _turned(array, file_format, orientation, **options):
  """An image file of these stored pixels with an EXIF orientation."""
  exif = Image.Exif()
  exif[0x0112] = orientation
  # Plugins from outside of Pillow need bytes.
  exif = exif.tobytes() if file_format == "HEIF" else exif
  return _saved(Image.fromarray(array), file_format, exif=exif, **options)


def _read(encoded, mode="RGB"):
  return np.asarray(images.read(encoded, "x.img", mode))


@ORIENTATIONS
@pytest.mark.parametrize(
  ("file_format", "options", "tolerance"),
  [
    ("JPEG", {"quality": 100, "subsampling": 0}, 3),
    ("PNG", {}, 0),
    ("TIFF", {}, 0),
    ("WEBP", {"lossless": True}, 0),
    ("AVIF", {"quality": 100}, 8),
    ("HEIF", {"quality": 100}, 12),
  ],
)
def test_images_are_turned_upright(file_format, options, tolerance, orientation):
  if file_format not in images.formats():
    pytest.skip(f"{file_format} is not read: AVIF needs Pillow 11.3, HEIF the extra heif")
  # Smooth, since most formats are lossy.
  ramp = np.linspace(0, 255, 48 * 64).reshape(48, 64)
  pixels = np.stack([ramp, 255 - ramp, np.full_like(ramp, 99)], -1).astype(np.uint8)
  got = _read(_turned(pixels, file_format, orientation, **options)).astype(int)
  np.testing.assert_allclose(got, _UPRIGHT[orientation](pixels).astype(int), atol=tolerance)


def test_a_damaged_exif_block_is_ignored():
  encoded = _saved(Image.fromarray(_PIXELS), "PNG", exif=b"Exif\0\0no TIFF header")
  np.testing.assert_array_equal(_read(encoded), _PIXELS)


# --- Depth ----------------------------------------------------------------------

_DEEP = np.array([[0, 128, 257, 1000], [32767, 32768, 65000, 65535]], np.uint16)


def _chunk(kind, content):
  crc = zlib.crc32(kind + content)
  return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def _png(array, colour, transparency=None):
  """A PNG file of 16 bits a channel, `[H, W]` or `[H, W, C]`."""
  height, width = array.shape[:2]
  rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
  header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
  chunks = _chunk(b"IHDR", header)
  if transparency is not None:
    chunks += _chunk(b"tRNS", struct.pack(">H", transparency))
  return b"\x89PNG\r\n\x1a\n" + chunks + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _tiff(array, **tags):
  """A TIFF file, little-endian, not compressed; the tags override."""
  content = array.tobytes()
  kinds = {"u": 1, "i": 2, "f": 3}
  entries = {
    256: array.shape[1],
    257: array.shape[0],
    258: 8 * array.dtype.itemsize,
    259: 1,
    262: 1,
    273: 8,
    277: 1,
    278: array.shape[0],
    279: len(content),
    339: kinds[array.dtype.kind],
  } | {int(tag[1:]): value for tag, value in tags.items()}
  directory = struct.pack("<H", len(entries))
  directory += b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
  return b"II*\0" + struct.pack("<I", 8 + len(content)) + content + directory + b"\0\0\0\0"


@pytest.mark.parametrize(
  "encoded",
  [
    _png(_DEEP, 0),
    _tiff(_DEEP),
    _saved(Image.fromarray(_DEEP), "TIFF"),
    b"P5 4 2 65535\n" + _DEEP.astype(">u2").tobytes(),
  ],
  ids=["png", "tiff", "pillow's tiff", "pgm"],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_16_bit_grey_is_scaled_by_its_full_range(encoded, mode):
  expected = np.round(_DEEP / np.float64(65535) * 255)
  got = _read(encoded, mode)
  np.testing.assert_array_equal(got[..., 0] if mode == "RGB" else got, expected)


@pytest.mark.skipif("JPEG2000" not in images.formats(), reason="this Pillow writes no JPEG 2000")
def test_16_bit_jpeg_2000_is_scaled_by_its_full_range():
  deep = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
  got = _read(_saved(Image.fromarray(deep), "JPEG2000", irreversible=False), "L")
  np.testing.assert_allclose(got, deep / 257, atol=1)


def test_16_bit_colour_is_scaled_by_its_full_range():
  deep = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), np.uint16)
  np.testing.assert_allclose(_read(_png(deep, 2)), deep / 257, atol=1)


def test_12_bit_tiff_is_scaled_by_its_full_range():
  levels = np.array([[0, 2048, 4095, 16]])
  bits = "".join(f"{level:012b}" for level in levels[0])
  packed = np.array([int(bits[i : i + 8], 2) for i in range(0, 48, 8)], np.uint8)[None]
  encoded = _tiff(packed, t256=4, t258=12)
  np.testing.assert_array_equal(_read(encoded, "L"), np.round(levels * 255 / 4095))


@pytest.mark.parametrize(
  ("encoded", "kind"),
  [
    (_tiff(np.array([[0.0, 0.5, 200.0]], np.float32)), "floating-point numbers"),
    (b"Pf 2 1 -1.0\n" + np.array([0.1, 0.9], "<f4").tobytes(), "floating-point numbers"),
    (_tiff(np.array([[0, 70_000]], np.int32)), "integers of 32 bits or with a sign"),
    (_tiff(np.array([[-5, 300]], np.int16)), "integers of 32 bits or with a sign"),
    (_tiff(_DEEP, t262=0), "16-bit grey with white as zero"),
  ],
  ids=["float tiff", "pfm", "int32 tiff", "int16 tiff", "white is zero"],
)
def test_pixels_of_unknown_range_are_refused(encoded, kind):
  with pytest.raises(data.DataError, match=rf"^x\.img is not a readable image: .*{kind}"):
    _read(encoded)


# --- Transparency ---------------------------------------------------------------

_ALPHA = np.array([[0, 128, 255]], np.uint8)
_HIDDEN = np.array([[[200, 10, 30]] * 3], np.uint8)


def _on_white(colours):
  alpha = _ALPHA[..., None] / 255
  return np.round(colours * alpha + 255 * (1 - alpha))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "TGA"])
def test_transparent_pixels_are_composed_on_white(file_format):
  rgba = Image.fromarray(np.concatenate([_HIDDEN, _ALPHA[..., None]], -1))
  options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
  got = _read(_saved(rgba, file_format, **options))
  np.testing.assert_allclose(got, _on_white(_HIDDEN), atol=1)


def test_grey_with_alpha_is_composed_on_white():
  grey = np.full((1, 3), 50, np.uint8)
  encoded = _saved(Image.fromarray(np.stack([grey, _ALPHA], -1)), "PNG")
  for mode in ("L", "RGB"):
    got = _read(encoded, mode).reshape(3, -1)[:, 0]
    np.testing.assert_allclose(got, _on_white(grey[..., None])[0, :, 0], atol=1)


def _palette(file_format):
  picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
  picture.putpalette([9, 9, 9, 40, 50, 60, 7, 8, 9])
  return _saved(picture, file_format, transparency=0)


@pytest.mark.parametrize(
  ("encoded", "expected"),
  [
    (_palette("PNG"), [[255] * 3, [40, 50, 60], [7, 8, 9]]),
    (_palette("GIF"), [[255] * 3, [40, 50, 60], [7, 8, 9]]),
    (_png(np.array([[0, 1000, 65535]], np.uint16), 0, 1000), [[0] * 3, [255] * 3, [255] * 3]),
    (
      _saved(Image.fromarray(_HIDDEN), "PNG", transparency=(200, 10, 30)),
      [[255] * 3, [255] * 3, [255] * 3],
    ),
  ],
  ids=["png palette", "gif palette", "16-bit grey", "rgb"],
)
def test_a_transparent_colour_becomes_white(encoded, expected):
  assert _read(encoded).tolist() == [expected]


# --- Size and safety ------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 20_000), (20_000, 2), (1, 60_000)])
@pytest.mark.parametrize("squashed", [False, True])
def test_a_very_long_image_is_resized_in_one_step(shape, squashed, monkeypatch):
  pixels = np.zeros((*shape, 3), np.uint8)
  long = int(np.argmax(shape))
  middle = [slice(None), slice(None)]
  middle[long] = slice(shape[long] // 2 - 20, shape[long] // 2 + 20)
  pixels[tuple(middle)] = (9, 99, 199)
  resize, made = Image.Image.resize, []

  def counted(picture, size, *args):
    made.append(size)
    return resize(picture, size, *args)

  monkeypatch.setattr(Image.Image, "resize", counted)
  image, size = images.decode(stripes.encoded(pixels), data.find("cub"), "x.png", squashed)
  assert made == [(256, 256)]
  assert image.shape == (256, 256, 3)
  if squashed:
    longer = 256 * max(shape) // min(shape)
    assert size.tolist() == [longer if side == max(shape) else 256 for side in shape]
  else:
    np.testing.assert_array_equal(image, np.broadcast_to([9, 99, 199], image.shape))


def test_the_crop_of_a_wide_image_equals_the_crop_of_the_resized_image():
  small = np.random.default_rng(0).integers(0, 256, (20, 300, 3), np.uint8)
  picture = Image.fromarray(small).resize((3000, 200), Image.Resampling.BICUBIC)
  image, _ = images.decode(_saved(picture, "PNG"), data.find("cub"), "x.png")
  whole = picture.resize((3840, 256), Image.Resampling.BILINEAR)
  expected = np.asarray(whole)[:, 1792 : 1792 + 256]
  np.testing.assert_allclose(image.astype(int), expected.astype(int), atol=1)


def test_an_image_of_extreme_aspect_ratio_is_refused():
  encoded = _saved(Image.new("L", (70_000, 1)), "PNG")
  with pytest.raises(data.DataError, match=r"^x\.png is not a .*: it has 70000x1 pixels"):
    images.decode(encoded, data.find("cub"), "x.png")


@pytest.mark.parametrize(
  ("encoded", "kind"),
  [
    (b"%PDF-1.7 ...", "it is a PDF document"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is a PostScript file"),
    (b"\n<!DOCTYPE html><html>404", "it is a web page"),
    (b"<svg xmlns='...'/>", "it is an SVG drawing"),
    (b"PK\x03\x04....", "it is a ZIP archive"),
    (b"\0\0\0\x18ftypmp42....", "it is a video"),
    (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
    (b"", "it is empty"),
    (b"\1\2\3garbage", r"it begins with b'\\x01\\x02\\x03garbage'"),
    (stripes.encoded(_PIXELS)[:-30], "truncated|broken|incomplete"),
  ],
)
def test_a_file_that_is_not_an_image_is_refused_with_its_kind(tmp_path, encoded, kind):
  root = _photos(tmp_path)
  (root / "test" / "b" / "0.png").write_bytes(encoded)
  with pytest.raises(data.DataError, match=rf"test/b/0\.png is not a readable image: .*({kind})"):
    data.load(data.find("folder", str(root)), str(root))


def test_an_eps_file_starts_no_program(monkeypatch):
  """Pillow starts Ghostscript for EPS."""

  def refuse(*_, **__):
    raise AssertionError("a program is started")

  monkeypatch.setattr("subprocess.Popen", refuse)
  encoded = _saved(Image.fromarray(_PIXELS), "EPS")
  with pytest.raises(data.DataError, match="PostScript"):
    _read(encoded)
  assert not {".eps", ".ps", ".pdf", ".wmf"} & images.suffixes()


@pytest.mark.parametrize("sides", [(20_000, 20_000), (10_000, 10_000)])
def test_a_decompression_bomb_is_refused(sides):
  """Pillow only warns of the second size; the tests turn warnings into errors."""
  header = struct.pack(">IIBBBBB", *sides, 8, 0, 0, 0, 0)
  encoded = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"")
  with pytest.raises(data.DataError, match=r"^x\.img is not a readable image: .*bomb"):
    _read(encoded)


# Older versions of Pillow read QOI, but can't write it.
_FORMATS = sorted({*images.formats()} & Image.SAVE.keys() - {"HEIF", "DIB", "AVIF"})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("file_format", _FORMATS)
def test_damaged_images_are_read_or_refused(file_format):
  @fuzzed(60)
  @hypothesis.given(damaged(_saved(Image.fromarray(_PIXELS), file_format)))
  def check(encoded):
    assert_read_or_refused(lambda: images.read(encoded, "x.img"), data.DataError)

  check()


@pytest.mark.parametrize("error", [struct.error("a field"), ZeroDivisionError(), MemoryError()])
def test_any_error_of_pillow_names_the_image(monkeypatch, error):
  def fail(*_, **__):
    raise error

  monkeypatch.setattr(images.Image, "open", fail)
  with pytest.raises(data.DataError, match=rf"^x\.img is not a .*{type(error).__name__}"):
    _read(b"")


# --- Every reader ---------------------------------------------------------------


def _photos(root):
  """Two classes of one image each, in both splits."""
  for split in ("train", "test"):
    for number, name in enumerate("ab"):
      path = root / split / name
      path.mkdir(parents=True)
      (path / "0.png").write_bytes(stripes.encoded(np.full((20, 30, 3), 50 * number, np.uint8)))
  return root


_STORED = np.zeros((256, 384, 3), np.uint8)
_STORED[:, :192], _STORED[:128, :, 1] = (200, 0, 30), 120


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_folder_is_read_upright(tmp_path, orientation):
  root = _photos(tmp_path)
  (root / "test" / "b" / "0.png").write_bytes(_turned(_STORED, "PNG", orientation))
  _, test = data.load(data.find("folder", str(root)), str(root))
  upright = _UPRIGHT[orientation](_STORED)
  top, left = ((side - 256) // 2 for side in upright.shape[:2])
  np.testing.assert_array_equal(test.images[1], upright[top : top + 256, left : left + 256])


@pytest.mark.parametrize("orientation", [3, 6])
def test_prepared_photographs_are_read_upright(tmp_path, orientation):
  """The package's builder of CUB keeps the files unchanged; TFDS's builder of Dogs does so too."""
  from test_preparation import _cub_files, _cub_folder

  files = _cub_files()
  files["images/009.Crow/6.jpg"] = _turned(_STORED, "JPEG", orientation)
  _cub_folder(tmp_path, files)
  preparation.prepare("cub", str(tmp_path), str(tmp_path))
  _, test = data.load(data.SPECS["cub"], str(tmp_path))
  (row,) = np.flatnonzero(test.labels == 1)
  upright = _UPRIGHT[orientation](_STORED)
  top, left = ((side - 256) // 2 for side in upright.shape[:2])
  expected = upright[top : top + 256, left : left + 256].astype(int)
  assert np.mean(np.abs(test.images[row].astype(int) - expected)) < 2


# --- Folders --------------------------------------------------------------------


@pytest.mark.parametrize("settled", [0.0, 60.0])
def test_an_image_overwritten_with_the_same_size_and_time_is_noticed(
  tmp_path, monkeypatch, settled
):
  monkeypatch.setattr(folder, "_SETTLED", settled)
  root = _photos(tmp_path)
  spec = data.find("folder", str(root))
  file = root / "train" / "a" / "0.png"
  file.write_bytes(file.read_bytes().ljust(1000, b"\0"))
  before = file.stat()
  content = data.content("folder", str(root))
  assert not np.any(data.load(spec, str(root))[0].images[0])

  white = stripes.encoded(np.full((20, 30, 3), 255, np.uint8))
  file.write_bytes(white.ljust(1000, b"\0"))
  os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
  after = file.stat()
  assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
  assert data.content("folder", str(root)) != content
  assert np.all(data.load(spec, str(root))[0].images[0] == 255)


def test_an_image_replaced_by_another_file_of_the_same_size_and_time_is_noticed(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(folder, "_SETTLED", 0.0)
  root = _photos(tmp_path)
  first, second = root / "train" / "a" / "0.png", root / "train" / "a" / "1.png"
  first.write_bytes(first.read_bytes().ljust(1000, b"\0"))
  white = stripes.encoded(np.full((20, 30, 3), 255, np.uint8))
  second.write_bytes(white.ljust(1000, b"\0"))
  for file in (first, second):
    os.utime(file, ns=(0, 0))
  content = data.content("folder", str(root))
  first.rename(tmp_path / "aside")
  second.rename(first)
  (tmp_path / "aside").rename(second)
  assert data.content("folder", str(root)) != content


def test_names_that_are_not_utf_8_are_read_and_shown(tmp_path, capfd):
  for split in ("train", "test"):
    for number, name in enumerate((b"caf\xe9", "naïve".encode())):
      path = os.path.join(os.fsencode(tmp_path), split.encode(), name)
      os.makedirs(path)
      with open(os.path.join(path, b"\xff.png"), "wb") as file:
        file.write(stripes.encoded(np.full((20, 30, 3), 50 * number, np.uint8)))
      with open(os.path.join(path, b"\xfe.txt"), "wb") as file:
        file.write(b"not an image")
  spec = data.find("folder", str(tmp_path))
  train, _ = data.load(spec, str(tmp_path))
  assert train.labels.tolist() == [0, 1]
  assert train.images[:, 0, 0, 0].tolist() == [0, 50]
  assert data.class_names(spec, str(tmp_path)) == (r"caf\xe9", "naïve")
  identity = data.identity("folder", str(tmp_path))
  assert json.loads(json.dumps(identity)) == identity
  assert r"caf\xe9/\xfe.txt" in capfd.readouterr().err
  with open(os.path.join(os.fsencode(tmp_path), b"test", b"caf\xe9", b"\xff.png"), "wb") as file:
    file.write(b"no image")
  with pytest.raises(data.DataError, match=r"caf\\xe9/\\xff\.png is not a readable image"):
    data.load(spec, str(tmp_path))


def test_sub_folders_of_a_class_are_read(tmp_path):
  root = _photos(tmp_path)
  for number, path in enumerate(("b/x", "b/x/deep", "a/y")):
    below = root / "train" / path
    below.mkdir()
    pixels = np.full((20, 30, 3), 100 + number, np.uint8)
    (below / "0.png").write_bytes(stripes.encoded(pixels))
  # A link to a parent folder.
  (root / "train" / "b" / "x" / "back").symlink_to(root / "train" / "b")
  hidden = root / "train" / "a" / ".thumbnails"
  hidden.mkdir()
  (hidden / "0.png").write_bytes(b"not read")
  content = data.content("folder", str(root))
  train, _ = data.load(data.find("folder", str(root)), str(root))
  assert train.labels.tolist() == [0, 0, 1, 1, 1]
  assert train.images[:, 0, 0, 0].tolist() == [0, 102, 50, 100, 101]
  (root / "train" / "b" / "x" / "0.png").unlink()
  assert data.content("folder", str(root)) != content


def test_skipped_files_are_counted_and_named_once(tmp_path, capfd):
  root = _photos(tmp_path)
  for number in range(4):
    (root / "train" / "a" / f"IMG_{number}.heif0").write_bytes(b"")
  (root / "train" / "b" / "plain").write_bytes(stripes.encoded(_PIXELS))
  (root / "train" / "b" / "y.txt").write_bytes(b"")
  (root / "train" / "b" / ".DS_Store").write_bytes(b"")
  for _ in range(2):
    data.load(data.find("folder", str(root)), str(root))
  lines = [line for line in capfd.readouterr().err.splitlines() if "skipped in" in line]
  (line,) = lines
  assert line == (
    f"jaxkd: 6 files are skipped in {root}/train, without a suffix of a readable image: "
    "a/IMG_0.heif0, a/IMG_1.heif0, a/IMG_2.heif0, a/IMG_3.heif0, b/plain and 1 more"
  )


def test_heic_files_are_reported_with_the_package_that_reads_them(tmp_path, capfd, monkeypatch):
  known = images.suffixes() - {".heic"}
  monkeypatch.setattr(images, "suffixes", lambda: known)
  root = _photos(tmp_path)
  (root / "train" / "a" / "IMG.HEIC").write_bytes(b"")
  data.load(data.find("folder", str(root)), str(root))
  err = capfd.readouterr().err
  assert "1 file is skipped" in err
  assert "to read .heic: " in err
  assert "pip install 'jaxkd-distill[heif]'" in err
