"""Image files to arrays of one size: orientation, depth, transparency, resizing."""

import contextlib
import functools
import io

import numpy as np
from PIL import Image, ImageOps

from jaxkd.common.errors import described
from jaxkd.data.base import DataError
from jaxkd.data.specs import Spec

# Formats that are opened; none of them starts another program, as EPS does.
_FORMATS = (
  *("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI"),
  *("TGA", "TIFF", "WEBP"),
)
# Kinds of files by their first bytes, in small letters.
_KINDS: dict[bytes | tuple[bytes, ...], str] = {
  b"%pdf": "a PDF document",
  b"%!ps": "a PostScript file",
  b"pk\x03\x04": "a ZIP archive",
  b"\x1f\x8b": "a gzip archive",
  b"<svg": "an SVG drawing",
  b"<?xml": "an XML file",
  (b"<!doctype html", b"<html"): "a web page",
  b"version https://git-lfs": "a Git LFS pointer, not the file itself",
  (b"ftyphei", b"ftypmif1"): "a HEIC photograph, read by the package pillow-heif alone",
  b"ftypavi": "an AVIF image, read by Pillow 11.3 or newer alone",
  b"ftyp": "a video",
}
_MAX_RATIO = 65_535  # of an image's sides; sizes up to it are exact in float32
# Pixels that are refused, by Pillow's mode.
_PIXELS = {
  "F": "floating-point numbers",
  "I": "integers of 32 bits or with a sign",
  "I;16": "16-bit grey with white as zero",
}
_WIDE = 8  # the ratio of the sides from which only the middle of an image is resized


@functools.cache
def formats() -> tuple[str, ...]:
  """Returns Pillow's names of the formats that can be read; HEIF where pillow-heif is installed."""
  with contextlib.suppress(ImportError):
    import pillow_heif  # type: ignore[import-not-found,import-untyped,unused-ignore]

    pillow_heif.register_heif_opener()
  Image.init()
  return tuple(name for name in _FORMATS if name in Image.OPEN)


@functools.cache
def suffixes() -> frozenset[str]:
  """Returns the suffixes of files that can be read, as `.jpg`."""
  known = {*formats(), "MPO"}
  return frozenset(key for key, name in Image.registered_extensions().items() if name in known)


def read(encoded: bytes, origin: str, mode: str = "RGB") -> Image.Image:
  """Decodes an image as a viewer shows it, to Pillow's mode `RGB` or `L`.

  The image is turned upright by its EXIF orientation. Transparent pixels are composed on white.
  16-bit grey is scaled by its full range to 8 bits. The first of several frames is read. A
  DataError names the origin of a file that is no image, damaged, too large, or of unknown range.
  """
  try:
    with Image.open(io.BytesIO(encoded), formats=formats()) as picture:
      picture.load()
      # Viewers ignore a damaged EXIF block, too.
      with contextlib.suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)
      eight_bits = _eight_bits(picture, origin)
      if not eight_bits.has_transparency_data:
        return eight_bits.convert(mode)
      la = eight_bits.convert("LA") if eight_bits.mode == "La" else eight_bits
      white = Image.new("RGBA", la.size, "white")
      return Image.alpha_composite(white, la.convert("RGBA")).convert("RGB").convert(mode)
  except Image.UnidentifiedImageError:
    raise DataError(f"{origin} is not a readable image: {_kind(encoded)}") from None
  except DataError:
    raise
  # Pillow and its plugins have no common class for damaged files.
  except Exception as error:
    raise DataError(f"{origin} is not a readable image: {described(error)}") from error


def decode(
  encoded: bytes, spec: Spec, origin: str, squashed: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
  """Decodes an image to uint8 pixels of the spec's stored size and channels.

  Where the spec says `resize`, the shorter side becomes that long (bilinear, antialiased) and the
  square in the middle is kept, as torchvision does it for evaluation. Training crops anywhere, so
  there the whole image is squashed into that square, and the height and width that it would have
  otherwise are returned, too. Elsewhere images are squares, and resized if their size differs.
  """
  picture = read(encoded, origin, "L" if spec.channels == 1 else "RGB")
  size = spec.stored_size
  # Sides and corner are rounded as torchvision rounds them.
  width, height = picture.size
  shorter, longer = sorted(picture.size)
  if longer > _MAX_RATIO * shorter:
    raise DataError(f"{origin} is not a readable image: it has {width}x{height} pixels")
  width, height = size * width // shorter, size * height // shorter
  bilinear = Image.Resampling.BILINEAR
  if spec.resize and not squashed:
    left, top = round((width - size) / 2), round((height - size) / 2)
    if longer <= _WIDE * shorter:
      picture = picture.resize((width, height), bilinear)
      picture = picture.crop((left, top, left + size, top + size))
    else:
      # The same square, computed without the pixels beside it.
      across, down = picture.width / width, picture.height / height
      box = (left * across, top * down, (left + size) * across, (top + size) * down)
      picture = picture.resize((size, size), bilinear, box)
  elif picture.size != (size, size):
    picture = picture.resize((size, size), bilinear)
  pixels = np.asarray(picture).reshape(size, size, spec.channels)
  return pixels, np.array((height, width), np.int32) if squashed else None


def _eight_bits(picture: Image.Image, origin: str) -> Image.Image:
  mode, tags = picture.mode, getattr(picture, "tag_v2", {})
  if not mode.startswith(("I", "F")):
    return picture
  # Older versions of Pillow call all 16-bit grey "I", which has 32 bits in TIFF. Tag 262 is 0
  # where white is zero.
  is_16_bit = mode.startswith("I;16") or (mode == "I" and picture.format in ("PNG", "PPM"))
  if not is_16_bit or tags.get(262) == 0:
    unknown = f"its pixels are {_PIXELS.get(mode, mode)}, whose range is not known"
    raise DataError(f"{origin} is not a readable image: {unknown}; save it with 8 or 16 bits")
  values = np.asarray(picture).astype(np.uint32)
  # A 12-bit TIFF is stored in 16 bits, but its white is 4095.
  full = 2 ** int(tags.get(258, (16,))[0]) - 1
  grey = Image.fromarray(((values * 255 + full // 2) // full).astype(np.uint8))
  if "transparency" in picture.info:
    opaque = values != picture.info["transparency"]
    grey.putalpha(Image.fromarray(255 * opaque.astype(np.uint8)))
  return grey


def _kind(encoded: bytes) -> str:
  """Describes a file that is not an image."""
  # Media files have their length first.
  start = encoded[4:64] if encoded[4:8] == b"ftyp" else encoded[:64]
  start = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
  for first, kind in _KINDS.items():
    if start.startswith(first):
      return f"it is {kind}"
  return f"it begins with {encoded[:16]!r}" if encoded else "it is empty"
