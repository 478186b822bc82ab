"""Compiles the training step for accelerators that are not there."""

import collections
import math
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh

from jaxkd.benchmarks import programs
from jaxkd.benchmarks.workload import Workload
from jaxkd.common.backend import traced_for
from jaxkd.common.errors import ConfigError, described
from jaxkd.training import sharding

# What XLA asks the driver of an H100: it chooses kernels by these numbers.
_H100 = """gpu_device_info { threads_per_block_limit: 1024 threads_per_warp: 32
shared_memory_per_block: 49152 shared_memory_per_core: 233472 threads_per_core_limit: 2048
core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647 block_dim_limit_y: 65535
block_dim_limit_z: 65535 memory_bandwidth: 3352320000000 l2_cache_size: 52428800
clock_rate_ghz: 1.98 device_memory_size: 84978434048 shared_memory_per_block_optin: 232448
cuda_compute_capability { major: 9 minor: 0 } registers_per_core_limit: 65536
registers_per_block_limit: 65536 } platform_name: "CUDA" dnn_version_info { major: 9 minor: 8 }
device_description_str: "NVIDIA H100 80GB HBM3" """
# Without a GPU, XLA can't time its own matrix products, and has no default for them; cuBLAS has.
_COMPILER_OPTIONS: dict[str, dict[str, str | bool]] = {"gpu": {"xla_gpu_enable_triton_gemm": False}}
_COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")
_KERNELS = ("fusion", "custom-call", "convolution", "dot", "reduce", "copy", "transpose", "sort")


def devices(topology: str) -> list[Any]:
  """Returns the devices of `h100`, or of a TPU topology as `v5e:2x4`.

  Raises:
    ConfigError: JAX can't describe the topology; the wheel of the platform may be missing.
  """
  try:
    if topology == "h100":
      found = topologies.get_topology_desc(
        platform="cuda", topology_name="", topology="1x1x1", target_config=_H100
      )
    else:
      # libtpu asks the machine of a cloud for these.
      os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
      os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
      kind, _, shape = topology.partition(":")
      count = math.prod(int(side) for side in shape.split("x") if side.isdecimal())
      os.environ.setdefault("TPU_ACCELERATOR_TYPE", f"{kind.replace('v5e', 'v5litepod')}-{count}")
      found = topologies.get_topology_desc(platform="tpu", topology_name=topology)
  except Exception as error:
    wheel = "jax[cuda12]" if topology == "h100" else "jax[tpu]"
    raise ConfigError(
      f"--topology is {topology!r}, must be h100 or a TPU's as v5e:2x4, and needs the wheels of "
      f"{wheel}: {described(error)}"
    ) from error
  return list(found.devices)


def compilation(workload: Workload, topology: str) -> Iterator[dict[str, Any]]:
  """Yields memory, arithmetic, collectives and kernels of the compiled step of each pair."""
  kind = "gpu" if topology == "h100" else "tpu"
  mesh = Mesh(np.array(devices(topology)), (sharding.DATA,))
  for size in workload.batch_sizes:
    if size % mesh.size:
      raise ConfigError(
        f"--batch has {size}, must be a multiple of {mesh.size}, {topology}'s chips"
      )
  replicated = sharding.replicated(mesh)

  def described_there(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=replicated), tree)

  for case in workload.cases():
    with traced_for(kind):
      program = programs.lower(case, mesh, described_there)
    start = time.perf_counter()
    compiled = program.lowered.compile(_COMPILER_OPTIONS.get(kind))
    seconds = time.perf_counter() - start
    memory, cost = programs.memory(compiled), compiled.cost_analysis() or {}
    text = compiled.as_text() or ""
    kinds = _kinds(text)
    yield {
      "pair": case.pair,
      "dtype": case.dtype,
      "batch": case.batch_size,
      "devices": mesh.size,
      "compiled in (s)": seconds,
      "arguments (MB)": memory.argument_size_in_bytes / 1e6,
      "temporary memory (MB)": memory.temp_size_in_bytes / 1e6,
      "GFLOP a step and device": cost.get("flops", float("nan")) / 1e9,
      "GB moved": cost.get("bytes accessed", float("nan")) / 1e9,
      "collectives": sum(kinds[name] for name in _COLLECTIVES),
      "convolutions": len(re.findall(r" convolution\(|\"__cudnn\$conv", text)),
      "copies and transposes": kinds["copy"] + kinds["transpose"],
      "fusions": kinds["fusion"],
      "kernels": sum(kinds[name] for name in _KERNELS),
    }


def _kinds(text: str) -> collections.Counter[str]:
  """Counts the operations by kind in the computation with most fusions: the loop's body.

  Examples:
    >>> text = '''%body (x: f32[2]) -> f32[2] {
    ...   %a = f32[2]{0} fusion(%x), kind=kLoop
    ...   %b.1 = (f32[2]{0}, f32[2]{0}) all-reduce-start(%a, %a)
    ...   ROOT %c = f32[2]{0} custom-call(%b.1), custom_call_target="__cudnn$convForward"
    ... }'''
    >>> sorted(_kinds(text).items())
    [('all-reduce', 1), ('custom-call', 1), ('fusion', 1)]
  """
  bodies = re.findall(r"^(?:ENTRY )?%?[\w.\-]+ \(.*?\) -> .*? \{\n(.*?)^\}", text, re.M | re.S)
  body = max(bodies, key=lambda body: body.count(" fusion("), default="")
  kinds = re.findall(r"= (?:\(.*?\)|\S+) ([a-z][a-z\-]*)\(", body)
  return collections.Counter(kind.removesuffix("-start") for kind in kinds)
