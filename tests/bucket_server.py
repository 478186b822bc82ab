"""A Google Cloud Storage server on loopback: a process, with faults on demand.

  python -m tests.bucket_server FOLDER

The server is gcp-storage-emulator. It lacks conditions on generations, which locks need; they are
added here. The file `FOLDER/port` has its port. A file `FOLDER/fails` makes it answer each 40th
request with an error, `FOLDER/stalls` makes it answer nothing, `FOLDER/down` every request with an
error.
"""

import http.server
import itertools
import pathlib
import sys
import threading
import time
from functools import partial

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.storage import Storage


class Handler(server.RequestHandler):
  """Answers requests, one at a time."""

  protocol_version = "HTTP/1.0"
  folder: pathlib.Path
  turn = threading.Lock()
  numbers = itertools.count(1)

  def end_headers(self):
    """Adds the generation of a downloaded object."""
    if generation := self._generation():
      self.send_header("x-goog-generation", generation)
    super().end_headers()

  def _generation(self):
    """Returns the generation of the object of the request, '' if it does not exist."""
    request = server.Request(self, self.command)
    bucket, _, name = request.path.partition("/b/")[2].partition("/o")
    name = server.unquote(name.strip("/")) or request.query.get("name", [""])[0]
    try:
      return self.storage.get_file_obj(bucket, name)["generation"] if name else ""
    except NotFound:
      return ""

  def _answer(self, method):
    while (self.folder / "stalls").exists():
      time.sleep(0.1)
    with self.turn:
      down = (self.folder / "down").exists()
      if down or ((self.folder / "fails").exists() and next(self.numbers) % 40 == 0):
        self.close_connection = True
        self.send_error(503)
        return
      expected = server.Request(self, method).query.get("ifGenerationMatch", [None])[0]
      if expected is not None and expected != (self._generation() or "0"):
        server._read_raw_data(self)
        self.send_error(412)
        return
      server.Router(self).handle(method)


for _method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
  setattr(Handler, f"do_{_method}", lambda self, method=_method: self._answer(method))


def main():
  """Serves an empty bucket named `bucket`."""
  Handler.folder = pathlib.Path(sys.argv[1])
  storage = Storage(use_memory_fs=True)
  buckets.create_bucket("bucket", storage)
  serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, storage))
  part = Handler.folder / "port.part"
  part.write_text(str(serving.server_port))
  part.rename(Handler.folder / "port")
  serving.serve_forever()


if __name__ == "__main__":
  main()
