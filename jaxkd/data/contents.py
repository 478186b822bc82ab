"""The published content of archives, whatever their compression."""

import gzip
import hashlib
import lzma
import pathlib
import posixpath
import tarfile
import zlib
from collections.abc import Collection, Iterator

# SHA-256 of the files in the published archives, by data set and file; of a text file that of its
# lines without blank ones, since copies differ in line ends. The binary files also have the SHA-1
# (CIFAR) that MXNet's Gluon and the MD5 (MNIST) that many loaders have for them.
SHA256: dict[str, dict[str, str | tuple[str, ...]]] = {
  "cifar10": {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    "batches.meta.txt": "bb3914949cecedee6d1257f7f5fdb8f43fa3b2c8095fd1763161caf1b873fe59",
  },
  "cifar100": {
    "train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
    "test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    # With the name maple_tree, and with maple, as copies have it.
    "fine_label_names.txt": (
      "dca4feb4e7e66c7de3d38a06a16fdae824cd6ca34b6fc0935c6d6233a62972ce",
      "88be9e4327820b3c93ba5b29e4fa826b5e71912447321418baefb069d25780ac",
    ),
    "coarse_label_names.txt": "9b48b836d98e8782057bb6a4da0d4030fe828e2b156b81fa835fda91b5276930",
  },
  "mnist": {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
}

_TAR = (".tar.gz", ".tgz")
_MAX_BYTES = 2**28  # more than the largest of the files
# Errors of streams and of archives.
_ERRORS = (EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError)
# Errors of links to a missing file and to themselves.
_LINK_ERRORS = (KeyError, RecursionError)


def difference(name: str, path: pathlib.Path) -> str:
  """Describes how an archive differs from the published one of a data set; '' if it doesn't.

  The archive, `.gz`, `.tar.gz` or `.tgz`, must have each published file once, all in one folder.
  It may have other files.
  """
  known = SHA256.get(name, {})
  if not path.name.endswith(_TAR):
    known = {file: known[file] for file in {path.stem} & known.keys()}
  if not known:
    return "the digests of its files are not known here"
  found: dict[str, str] = {}  # folders by file
  try:
    for place, content in _files(path, known):
      folder, file = posixpath.split(place)
      if file in found:
        return f"it has {file} twice"
      found[file] = folder
      if _digest(file, content) not in known[file]:
        return f"its {file} differs from the published file"
  except (*_ERRORS, *_LINK_ERRORS) as error:
    return f"it is damaged: {error}"
  folders = sorted(set(found.values()))
  if len(folders) > 1:
    return f"its files must be in one folder, but are in {', '.join(folders)}"
  missing = sorted(known.keys() - found.keys())
  return f"it lacks {', '.join(missing)}" if missing else ""


def _files(path: pathlib.Path, known: Collection[str]) -> Iterator[tuple[str, bytes]]:
  """Yields path and content of the known files of an archive."""
  if not path.name.endswith(_TAR):
    with gzip.open(path) as unpacked:
      yield path.stem, unpacked.read(_MAX_BYTES)
    return
  with tarfile.open(path) as archive:
    for entry in archive:
      # TFDS unpacks the entry a/b/x/.. as a/b.
      place = posixpath.normpath(entry.name)
      if posixpath.basename(place) in known and (file := archive.extractfile(entry)):
        yield place, file.read(_MAX_BYTES)


def _digest(name: str, content: bytes) -> str:
  if name.endswith(".txt"):
    content = b"\n".join(filter(None, content.splitlines()))
  return hashlib.sha256(content).hexdigest()
