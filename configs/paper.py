"""Test accuracy (%) in the paper's tables, by data set, student and row."""

_COLUMNS = (
  ("cifar100", "vgg8"),
  ("cifar100", "shufflenet_v1"),
  ("cifar100", "mobilenet_v2"),
  ("tiny_imagenet", "alexnet"),
  ("tiny_imagenet", "shufflenet_v2"),
  ("tiny_imagenet", "mobilenet_v2"),
  ("cub", "alexnet"),
  ("cub", "shufflenet_v2"),
  ("cub", "mobilenet_v2"),
  ("dogs", "alexnet"),
  ("dogs", "shufflenet_v2"),
  ("dogs", "mobilenet_v2"),
)

# fmt: off
_TABLE_2 = {
  "nokd":  (69.92, 70.04, 64.75, 34.62, 45.79, 52.03, 55.66, 71.24, 74.49, 50.20, 68.72, 68.67),
  "stkd":  (72.30, 73.22, 66.56, 36.16, 49.59, 52.93, 56.39, 72.15, 76.80, 51.95, 69.92, 72.06),
  "kd":    (71.35, 71.86, 65.49, 35.83, 48.48, 52.33, 55.10, 71.89, 76.45, 50.22, 68.48, 71.25),
  "eskd":  (71.88, 72.02, 65.92, 34.97, 48.34, 52.15, 55.64, 72.15, 76.87, 50.39, 69.02, 71.56),
  "takd":  (72.71, 72.86, 66.98, 36.20, 48.71, 52.44, 54.82, 71.53, 76.25, 50.36, 68.94, 70.61),
  "sckd":  (70.38, 70.61, 64.59, 36.16, 48.76, 51.83, 56.78, 71.99, 75.13, 51.78, 68.80, 70.13),
  "dist":  (71.22, 71.10, 65.01, 35.95, 45.75, 50.56, 48.88, 71.79, 75.34, 49.85, 67.69, 68.97),
  "ats":   (72.31, 73.44, 67.18, 37.42, 50.03, 54.11, 58.32, 73.15, 77.83, 52.96, 70.92, 73.16),
  "fgcr":  (71.99, 72.42, 66.39, 35.70, 48.35, 53.25, 60.22, 73.63, 79.44, 51.84, 70.45, 72.98),
  "regt":  (72.09, 72.39, 66.18, 36.66, 48.48, 53.31, 60.17, 74.20, 79.21, 52.18, 70.55, 72.43),
  "isats": (72.46, 73.80, 67.04, 37.15, 49.61, 55.49, 61.73, 74.23, 78.84, 54.36, 70.98, 72.73),
}
# fmt: on


def table_2(dataset: str, student: str) -> dict[str, float]:
  """Returns the figures of a column, by row; empty if the paper has none.

  >>> table_2("cifar100", "vgg8")["isats"]
  72.46
  """
  if (dataset, student) not in _COLUMNS:
    return {}
  column = _COLUMNS.index((dataset, student))
  return {row: figures[column] for row, figures in _TABLE_2.items()}
