"""The progress line: what trains, how fast, and the time that is left."""

import pytest

from jaxkd.training import progress


@pytest.fixture
def clock(monkeypatch):
  """A clock that only the test moves."""
  now = [100.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  return now


@pytest.mark.parametrize(
  ("rest", "end"), [(None, ""), (100.0, ", of all about 0:12:20"), (0.0, "")]
)
def test_the_line_has_speed_and_the_time_of_this_phase_and_of_all(clock, capsys, rest, end):
  rates = []

  def others(rate):
    rates.append(rate)
    return rest

  shown = progress.Progress("[1/3 kd]", 0, 1001, 64, others)
  shown.update(1, 2.0)
  clock[0] += 40
  # An evaluation takes no part.
  shown.pause(41)
  clock[0] += 1000
  shown.resume()
  clock[0] += 120
  shown.update(201, 1.5)
  # 200 steps in 160 seconds; 800 are left.
  assert rates == [80.0]
  (line,) = capsys.readouterr().err.splitlines()
  assert line == f"[1/3 kd] step 201/1001 (20%) loss 1.5000, 80 images/s, ETA 0:10:40{end}"


def test_the_first_dispatch_which_compiles_is_not_timed(clock, capsys):
  shown = progress.Progress("[1/1 kd]", 0, 10, 64)
  clock[0] += 3600
  shown.update(1, 2.0)
  clock[0] += 31
  shown.update(2, 2.0)
  assert f"{64 / 31:.0f} images/s" in capsys.readouterr().err
