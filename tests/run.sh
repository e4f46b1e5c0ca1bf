#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, runs the tests, ends with one summary line.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: tests/run.sh [--long] [--no-apt] [-j N] [-R REGEX]
  runs every test but those with the labels long and bench
  --long     also fuzzing, soaks, kill cycles, sanitizer builds, large simulations (hours)
  --no-apt   install nothing; say what is missing
  -j N       build and test N at a time (default: the number of processors)
  -R REGEX   only tests whose name matches
Afterwards the programs are build/bin/distcrond and build/bin/distcronctl.
Nothing is left outside build/, installed packages apart.
USAGE
}

long=no
apt=yes
jobs=$(nproc)
only=()
while [ $# -gt 0 ]; do
  case "$1" in
    --long) long=yes ;;
    --no-apt) apt=no ;;
    -j)
      jobs=${2:?"-j needs a number"}
      shift
      ;;
    -R)
      only=(-R "${2:?"-R needs a regular expression"}")
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      echo "tests/run.sh: unknown argument '$1'" >&2
      usage >&2
      exit 2
      ;;
  esac
  shift
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
mkdir -p build/tmp
export CCACHE_DIR=${CCACHE_DIR:-$root/build/ccache}
export PYTHONDONTWRITEBYTECODE=1
SECONDS=0
step() { printf '==> %s\n' "$*"; }

sections=(build test)
if [ "$long" = yes ]; then sections+=(ci long); fi
if [ "$apt" = yes ]; then
  step "packages of [${sections[*]}]"
  packaging/install-packages "${sections[@]}"
else
  step "packages of [${sections[*]}]: checked only (--no-apt)"
  packaging/install-packages --check "${sections[@]}" || true
fi

step "building the release preset into build/ with $jobs jobs"
cmake --preset release -DDISTCRON_TESTS=ON >build/tmp/configure.log 2>&1 || {
  cat build/tmp/configure.log
  echo "tests/run.sh: cannot configure; see the lines above" >&2
  exit 1
}
cmake --build build -j "$jobs"
built_s=$SECONDS

# Tests that cannot share the machine say so themselves (RUN_SERIAL, RESOURCE_LOCK).
excluded='^(long|bench)$'
if [ "$long" = yes ]; then excluded='^bench$'; fi
step "running the tests, without the labels $excluded"
log=build/tmp/ctest.log
rc=0
ctest --test-dir build -j "$jobs" -LE "$excluded" "${only[@]}" --output-on-failure \
  --no-tests=error 2>&1 </dev/null | tee "$log" || rc=$?

# One summary line: what ran, what was left out and how to have it.
count() { ctest --test-dir build -N "$@" 2>/dev/null | sed -n 's/^Total Tests: //p'; }
left=()
if [ "$long" = no ]; then
  left+=("long ($(count -L '^long$'): fuzzing, soaks, kill cycles, sanitizer builds, large simulations; --long runs them)")
fi
left+=("bench ($(count -L '^bench$'); ctest --test-dir build -L bench runs them)")
skipped=$(sed -n 's/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \(.*[^ .]\) *\.*\*\*\*Skipped .*/\1/p' "$log" |
  sort | paste -sd ',' - | sed 's/,/, /g')
if [ -n "$skipped" ]; then left+=("skipped on this machine: $skipped"); fi
if [ ${#only[@]} -gt 0 ]; then left+=("names that do not match ${only[1]}"); fi
left_text=$(printf '; %s' "${left[@]}")
result=$(sed -n 's/^\([0-9]*% tests passed, .*\)$/\1/p' "$log" | tail -1)
verdict=passed
if [ "$rc" -ne 0 ]; then verdict=FAILED; fi
echo "tests/run.sh: $verdict: ${result:-no test ran} (build $built_s s, tests $((SECONDS - built_s)) s); left out: ${left_text#; }"
exit "$rc"
