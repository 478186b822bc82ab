"""Results come from programs that compute the same bits in every run, on GPUs too."""

import ast
import pathlib

import jax
import jax.numpy as jnp
import pytest

import jaxkd
from jaxkd.training import compilation

# Jitted there: copies of arrays, which have no arithmetic.
COPIES = {"sharding.py"}


@pytest.mark.parametrize(
  ("backend", "deterministic", "passed"),
  [
    ("gpu", True, {"compiler_options": {"xla_gpu_deterministic_ops": True}}),
    ("gpu", False, {}),
    ("cpu", True, {}),
    ("tpu", True, {}),
  ],
)
def test_only_programs_of_gpus_are_told(backend, deterministic, passed, monkeypatch):
  monkeypatch.setattr(jax, "default_backend", lambda: backend)
  monkeypatch.setattr(jax, "jit", lambda function, **options: options)
  found = compilation.jit(jnp.sin, deterministic=deterministic, donate_argnums=0)
  assert found == {"donate_argnums": 0, **passed}


def test_xla_knows_the_option(monkeypatch):
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  double = compilation.jit(lambda x: 2 * x)
  monkeypatch.undo()
  assert double(3) == 6


def test_every_program_of_training_and_prediction_is_compiled_so():
  package = pathlib.Path(jaxkd.__file__).parent
  for file in (*sorted((package / "training").glob("*.py")), package / "runs/predictor.py"):
    if file.name in {"compilation.py", *COPIES}:
      continue
    names = {ast.unparse(node) for node in ast.walk(ast.parse(file.read_text()))}
    assert not {"jax.jit", "nnx.jit"} & names, file
