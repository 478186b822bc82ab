"""Commands that read no config: a mistake is one line, `--help` says what they do."""

import pytest

from jaxkd import convert, export, prepare


@pytest.fixture
def run(monkeypatch, capsys):
  def run(module, *argv):
    monkeypatch.setattr("sys.argv", ["jaxkd", *argv])
    with pytest.raises(SystemExit) as ended:
      module.main()
    return ended.value.code, *capsys.readouterr()

  return run


@pytest.mark.parametrize("module", [convert, export, prepare])
def test_help_says_what_the_command_does(module, run):
  code, out, _ = run(module, "--help")
  assert code == 0
  assert module.__doc__.splitlines()[0] in " ".join(out.split())


@pytest.mark.parametrize(
  ("module", "argv", "message"),
  [
    (prepare, [], "the following arguments are required: NAME"),
    (prepare, ["mnist", "usps"], "unrecognized arguments: usps"),
    (prepare, ["mnist", "--data-dir=x"], "the flag is --data-dir, must be one of --help, --data_"),
    (
      export,
      ["a", "b", "--stpe=1"],
      "must be one of --help, --step, --licence; did you mean '--step'?",
    ),
    (export, ["a", "b", "--step=new"], "--step is 'new', must be an integer"),
    (convert, ["a", "--out"], "argument --out: expected one argument"),
  ],
)
def test_a_mistake_is_one_line(module, argv, message, run):
  code, out, told = run(module, *argv)
  assert (code, out) == (2, "")
  assert told.startswith("jaxkd: ")
  assert message in told
  assert told.count("\n") == 1
