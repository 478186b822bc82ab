"""Faults of files: functions from the content of a file to its damaged content."""

FAULTS = {
  "empty": lambda content: b"",
  "truncated": lambda content: content[: 2 * len(content) // 3],
  "garbage": lambda content: bytes(range(7, 250, 3)) * 4,
  "object": lambda content: b"{}",
  "not UTF-8": lambda content: b"\xff\xfe" + content,
}
