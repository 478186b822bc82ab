#!/usr/bin/env bash
# Sets jaxkd up in an environment of its own, and runs it.
#
#   ./launch.sh                        the digits example
#   ./launch.sh --config=FILE [...]    python -m jaxkd.main with these flags
#   ./launch.sh test [...]             linter, type checker, pytest
#   ./launch.sh COMMAND [...]          analyze, convert, export, prepare, table, tune
#   ./launch.sh --processes=N [...]    N processes on this machine, one per GPU
#   srun ./launch.sh --config=FILE     SLURM: a task per process
#
# On a TPU pod the same command runs on every worker; --workdir must then be a
# folder that all of them see.
#
# JAXKD_VENV    where the environment is (default: .venv)
# JAXKD_EXTRAS  more of pyproject.toml's extras, e.g. tensorflow
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

venv=${JAXKD_VENV:-.venv}
extras=${JAXKD_EXTRAS:-}
[[ ${1:-} == test ]] && extras+=,test
if command -v nvidia-smi >/dev/null; then
  extras+=,gpu
elif [[ -n ${TPU_NAME:-} || -e /dev/accel0 || -e /dev/vfio/0 ]]; then
  extras+=,tpu
fi
extras=${extras#,}

find_python() {
  for python in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c \
      'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
      2>/dev/null; then
      echo "$python"
      return
    fi
  done
  echo "jaxkd needs Python 3.11 to 3.14, found $(python3 --version 2>&1)" >&2
  return 1
}

# Installs once for each state of pyproject.toml, and again when an extra is
# wanted that isn't there; processes that start together on one file system take
# turns.
set_up() {
  local python stamp installed wanted
  python=$(find_python)
  mkdir -p "$venv"
  (
    if command -v flock >/dev/null; then flock 9; fi
    stamp=$(cksum <pyproject.toml)
    { read -r installed && read -r had; } 2>/dev/null <"$venv/jaxkd-stamp" || true
    wanted=$(tr ',' '\n' <<<"${had:-},$extras" | sort -u | paste -sd, -)
    wanted=${wanted#,}
    if [[ ${installed:-} != "$stamp" || ${had:-} != "$wanted" ]]; then
      echo "Setting up $venv ..." >&2
      "$python" -m venv "$venv"
      "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --editable ".${wanted:+[$wanted]}"
      printf '%s\n%s\n' "$stamp" "$wanted" >"$venv/jaxkd-stamp"
    fi
  ) 9>"$venv/jaxkd-lock"
  PATH="$(cd "$venv" && pwd)/bin:$PATH"
}

run_processes() {
  local count=$1 pids=() id
  shift
  [[ $count =~ ^[1-9][0-9]*$ ]] || {
    echo "jaxkd: --processes is '$count', must be an integer >= 1" >&2
    exit 2
  }
  export JAX_NUM_PROCESSES=$count
  export JAX_COORDINATOR_ADDRESS=${JAX_COORDINATOR_ADDRESS:-127.0.0.1:$((20000 + RANDOM % 20000))}
  trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
  for ((id = 0; id < count; id++)); do
    JAX_PROCESS_ID=$id JAX_LOCAL_DEVICE_IDS=$id python -m jaxkd.main "$@" &
    pids+=($!)
  done
  # The first that fails ends the others.
  for ((id = 0; id < count; id++)); do wait -n; done
}

set_up
case ${1:-} in
  "") exec python -m jaxkd.main --config=configs/digits_isats.py ;;
  analyze | convert | export | table | tune) exec python -m "jaxkd.$1" "${@:2}" ;;
  prepare) exec python -m jaxkd.prepare "${@:2}" ;;
  test)
    shift
    ruff check .
    ruff format --check .
    mypy
    # A file at a time, so that what its tests share is made once.
    exec pytest -n 2 --dist loadfile "$@"
    ;;
  --processes=*) run_processes "${1#*=}" "${@:2}" ;;
  *) exec python -m jaxkd.main "$@" ;;
esac
