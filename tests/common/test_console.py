"""Progress is readable in a log file."""

from jaxkd.common import console


def test_progress_in_a_log_file_is_made_of_whole_lines(capsys):
  with console.progress("decoding", 4) as bar:
    start = bar.start_t
    for images in range(1, 5):
      bar._time = lambda images=images: start + 12 * images
      bar.update(1)
  said = capsys.readouterr().err
  assert "\r" not in said
  assert [line.split()[1] for line in said.splitlines()] == ["75%|#######5", "100%|##########|"]


def test_short_work_leaves_no_progress_in_a_log_file(capsys):
  with console.progress("decoding", 4) as bar:
    bar.update(4)
  assert capsys.readouterr().err == ""
