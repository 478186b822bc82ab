"""The published content of archives, whatever their compression."""

import gzip
import hashlib
import pathlib
import tarfile
import zlib
from collections.abc import Collection, Iterator

# SHA-256 of the files in the published archives, by data set and file; of a text file that of its
# words, since copies differ in line ends. The binary files also have the SHA-1 (CIFAR) that MXNet's
# Gluon and the MD5 (MNIST) that many loaders have for them.
SHA256 = {
  "cifar10": {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    "batches.meta.txt": "66c673d653014822e808e1ae64eed32f350cb5c045d4cdd024378734afdd0dd8",
  },
  "cifar100": {
    "train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
    "test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    "fine_label_names.txt": "05e798a002984bbcc6632c6c334e0aa472b5762c52c593e5a6609dee485216c5",
    "coarse_label_names.txt": "9f0b4e4059589cdbcafa64f3edd84d2280657a773e33dd2a593221b6e9504f84",
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


def difference(name: str, path: pathlib.Path) -> str:
  """Describes how an archive differs from the published one of a data set; '' if it doesn't.

  The archive, `.gz`, `.tar.gz` or `.tgz`, must have the published files and may have others.
  """
  known = SHA256.get(name, {})
  if not path.name.endswith(_TAR):
    known = {file: known[file] for file in {path.stem} & known.keys()}
  if not known:
    return "the digests of its files are not known here"
  found = set()
  try:
    for file, content in _files(path, known):
      found.add(file)
      if _digest(file, content) != known[file]:
        return f"its {file} is another"
  except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
    return f"it is damaged: {error}"
  missing = sorted(known.keys() - found)
  return f"it lacks {', '.join(missing)}" if missing else ""


def _files(path: pathlib.Path, known: Collection[str]) -> Iterator[tuple[str, bytes]]:
  """Yields name and content of the known files of an archive."""
  if not path.name.endswith(_TAR):
    with gzip.open(path) as unpacked:
      yield path.stem, unpacked.read(_MAX_BYTES)
    return
  with tarfile.open(path) as archive:
    for entry in archive:
      name = pathlib.PurePath(entry.name).name
      if name in known and (file := archive.extractfile(entry)):
        yield name, file.read(_MAX_BYTES)


def _digest(name: str, content: bytes) -> str:
  if name.endswith(".txt"):
    content = b" ".join(content.split())
  return hashlib.sha256(content).hexdigest()
