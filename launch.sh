#!/usr/bin/env bash
# Installs jaxkd into its own environment and runs it.
#
#   ./launch.sh                              a demonstration, in minutes
#   ./launch.sh --config=FILE [...]          python -m jaxkd.main with these flags
#   ./launch.sh COMMAND [...]                python -m jaxkd.COMMAND with these flags
#   ./launch.sh --processes=N [COMMAND] ...  N processes on this machine, one per GPU
#   ./launch.sh slurm [...] COMMAND [...]    a SLURM job, one process per task
#   ./launch.sh tpu NAME ZONE COMMAND [...]  a Cloud TPU pod, one process per worker
#   ./launch.sh setup                        only installs
#   ./launch.sh test [...]                   linter, type checker, API reference, pytest [...]
#   ./launch.sh docs                         builds the API reference
#
# Exit status: 0; 2 after a mistake, with one line; 75 after a signal or --minutes, when the same
# command resumes; 137 if processes had to be killed.
#
# With the extra `bucket`, --workdir may be gs://BUCKET/FOLDER.
#
# JAXKD_VENV        the environment (default: .venv beside this file)
# JAXKD_EXTRAS      additional extras of pyproject.toml, separated by commas
# JAXKD_PYTHON      a version (3.13), `newest`, or an interpreter
# JAXKD_RESOLUTION  `lowest-direct` installs the lowest supported versions
# JAXKD_INSTALLER   uv or pip (default: uv where it is found)
# JAXKD_GRACE       seconds that --processes leaves for saving after a signal (default: 60)
#
# Tests with the oldest Python and the lowest versions, and with the newest Python and versions:
#
#   JAXKD_PYTHON=3.11 JAXKD_RESOLUTION=lowest-direct ./launch.sh test
#   JAXKD_PYTHON=newest ./launch.sh test
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set +o posix -euo pipefail
unset CDPATH PYTHONHOME

script=${BASH_SOURCE[0]}
while [[ -L $script ]]; do
  link=$(readlink "$script")
  [[ $link == /* ]] || link=$(dirname "$script")/$link
  script=$link
done
root=$(cd "$(dirname "$script")" && pwd -P)

fail() {
  echo "jaxkd: $*" >&2
  exit 2
}

# Prints the interpreter if its version is supported.
supported() {
  "$1" -I -c 'import sys
if (3, 11) <= sys.version_info[:2] < (3, 15): print(sys.executable)' 2>/dev/null | grep .
}

find_python() {
  local wanted=${JAXKD_PYTHON:-} versions=(3.14 3.13 3.12 3.11) version prefix
  case $wanted in
    "") supported python3 && return ;;
    newest) ;;
    [0-9]*) versions=("$wanted") ;;
    *) supported "$wanted" && return || versions=() ;;
  esac
  for version in "${versions[@]}"; do
    supported "python$version" && return
    prefix=$(pyenv prefix "$version" 2>/dev/null) && supported "$prefix/bin/python" && return
  done
  if [[ $installer == uv && ${wanted:-3.13} == 3.1[1-4]* ]]; then
    # uv downloads this version.
    echo "${wanted:-3.13}"
  elif [[ $wanted && $wanted != newest ]]; then
    fail "JAXKD_PYTHON is '$wanted', must be Python 3.11 to 3.14 on this machine"
  else
    fail "Python 3.11 to 3.14 is needed; python3 is $(python3 --version 2>&1 | tail -1)"
  fi
}

# Makes the environment if it is missing or its interpreter does not run. Removes only environments
# that this script made.
make_environment() {
  local python
  if [[ -x $venv/bin/python ]] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
  if [[ -e $venv/pyvenv.cfg && ! -e $venv/jaxkd-stamp ]]; then
    fail "the interpreter of $venv does not run; remove that folder, or set JAXKD_VENV"
  fi
  python=$(find_python)
  [[ ! -e $venv/pyvenv.cfg ]] || rm -rf "$venv"/{bin,include,lib,lib64,pyvenv.cfg,jaxkd-stamp}
  if [[ $installer == uv ]]; then
    uv venv --quiet --allow-existing --python "$python" "$venv"
  else
    "$python" -m venv "$venv" >&2 ||
      fail "$python can't make an environment (on Debian: apt install python3-venv)"
  fi
}

install() {
  local package=$root${1:+[$1]} resolution=${JAXKD_RESOLUTION:-highest} python=$venv/bin/python
  if [[ $installer == pip && $resolution != highest ]]; then
    # pip can't install the lowest versions.
    "$python" -m pip install --quiet uv
    PATH=$venv/bin:$PATH installer=uv
  fi
  if [[ $installer == uv ]]; then
    uv pip install --quiet --python "$python" --resolution "$resolution" --editable "$package"
  else
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null
    PIP_USER=0 "$python" -m pip install --quiet --disable-pip-version-check --editable "$package"
  fi
}

# Installs when pyproject.toml has changed or an extra is missing. Processes that start together on
# one file system take turns.
set_up() {
  local extras=$1 stamp installed wanted
  venv=${JAXKD_VENV:-$root/.venv${JAXKD_PYTHON:+-${JAXKD_PYTHON##*/}}${JAXKD_RESOLUTION:+-$JAXKD_RESOLUTION}}
  installer=${JAXKD_INSTALLER:-$(command -v uv >/dev/null && echo uv || echo pip)}
  [[ $installer == uv || $installer == pip ]] ||
    fail "JAXKD_INSTALLER is '$installer', must be uv or pip"
  if command -v nvidia-smi >/dev/null; then
    extras+=,gpu
  elif [[ -n ${TPU_NAME:-} || -e /dev/accel0 || -e /dev/vfio/0 ]]; then
    extras+=,tpu
  fi
  extras+=,${JAXKD_EXTRAS:-}
  mkdir -p "$venv" 2>/dev/null || fail "can't make the folder $venv"
  venv=$(cd "$venv" && pwd -P)
  (
    # The caller's modules and the caller's uv.toml must not change the installation.
    cd "$root"
    if command -v flock >/dev/null; then flock 9; fi
    stamp="$(cksum <pyproject.toml) $root python=${JAXKD_PYTHON:-} ${JAXKD_RESOLUTION:-highest}"
    { read -r installed && read -r had; } 2>/dev/null <"$venv/jaxkd-stamp" || true
    wanted=$(tr ',' '\n' <<<"${had:-},$extras" | sed '/^$/d' | sort -u | paste -sd, -)
    if [[ ${installed:-} != "$stamp" || ${had:-} != "$wanted" ]] ||
      ! "$venv/bin/python" -c '' 2>/dev/null; then
      echo "Setting up $venv ..." >&2
      make_environment
      install "$wanted"
      printf '%s\n%s\n' "$stamp" "$wanted" >"$venv/jaxkd-stamp"
    fi
  ) 9>"$venv/jaxkd-lock"
  export PATH=$venv/bin:$PATH VIRTUAL_ENV=$venv
  # Another `jaxkd` in the working directory must not hide this package.
  export PYTHONPATH=$root:$PWD PYTHONSAFEPATH=1
}

run_tests() {
  cd "$root"
  # Other versions of the tools would report other errors.
  if [[ -z ${JAXKD_PYTHON:-}${JAXKD_RESOLUTION:-} ]]; then
    python -m ruff check .
    python -m ruff format --check .
    python -m mypy &
    local types=$!
    build_docs --quiet
    wait "$types"
  fi
  # One worker runs all tests of a file, so that their shared fixtures are made once. There is a
  # worker more than cores, because some tests wait for processes that they start. Each may take 3 GB.
  local workers=$(($(getconf _NPROCESSORS_ONLN) + 1))
  ((workers <= 8)) || workers=8
  # tests/conftest.py has the order of the files.
  exec python -m pytest -n "$workers" --dist loadfile --no-loadscope-reorder "$@"
}

build_docs() {
  python -m mkdocs build --strict --config-file "$root/docs/mkdocs.yml" "$@"
}

if [[ -n ${PYTHONPATH:-} ]]; then
  echo "jaxkd: PYTHONPATH is ignored; your own modules are found in the working directory" >&2
  unset PYTHONPATH
fi

processes=1
case ${1:-} in
  --processes=*) processes=${1#*=} && shift ;;
  --processes) processes=${2:-} && shift $(($# < 2 ? 1 : 2)) ;;
esac
[[ $processes =~ ^[1-9][0-9]*$ ]] || fail "--processes is '$processes', must be an integer >= 1"

case ${1:-} in
  "") set -- demo ;;
  -h | --help | help)
    sed -n '2,/^\[/ { s/^# \{0,1\}//p; }' "$root/launch.sh"
    set -- help
    ;;
  -*) set -- main "$@" ;;
esac
command=$1
shift
extras=all
case $command in
  test | docs | setup | slurm | tpu)
    ((processes == 1)) || fail "--processes is for commands, not for $command"
    ;;&
  test | docs) extras=$command ;;
  setup) ;;
  prepare) extras+=,tensorflow ;;
  convert) extras+=,torch ;;
  export | classify) extras+=,stablehlo ;;
  *)
    # These commands, the list of commands and a wrong command need no environment.
    if [[ $command == slurm || $command == tpu ]] ||
      ! grep -qs '^if __name__ ==' "$root/jaxkd/$command.py"; then
      installer=pip
      python=$(find_python)
      PYTHONPATH=$root PYTHONSAFEPATH=1 exec "$python" -m jaxkd "$command" "$@"
    fi
    ;;
esac
set_up "$extras"
case $command in
  test) run_tests "$@" ;;
  docs) build_docs "$@" ;;
  setup) ;;
  *)
    # Commands in messages are those of this script.
    export JAXKD_LAUNCHER=$0
    [[ $0 == */* ]] || JAXKD_LAUNCHER=./$0
    ((processes == 1)) || set -- "$processes" "$command" "$@"
    ((processes == 1)) || command=processes
    exec python -m "jaxkd.$command" "$@"
    ;;
esac
