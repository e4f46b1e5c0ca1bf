#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for DISTCRON_FUZZ_SECONDS (default 60) from its checked-in corpus.
# What crashes is left in build/fuzz/findings; it becomes a named regression test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${DISTCRON_FUZZ_SECONDS:-60}
if ! command -v clang++ >/dev/null; then
  echo "SKIP: no clang++"
  exit 77
fi
cmake --preset fuzz -DDISTCRON_TESTS=ON >/dev/null
targets=$(find tests/fuzz -maxdepth 1 -name '*_fuzz.cc' -printf '%f\n' | sed 's/\.cc$//' | sort)
if [ -z "$targets" ]; then
  echo "SKIP: no fuzz target"
  exit 77
fi
# shellcheck disable=SC2086 # one argument per target
cmake --build build/fuzz -j "$(nproc)" --target $targets
mkdir -p build/fuzz/findings
failed=()
for target in $targets; do
  work=build/fuzz/corpus/$target
  mkdir -p "$work"
  seeds=()
  if [ -d "tests/fuzz/corpus/$target" ]; then seeds=("tests/fuzz/corpus/$target"); fi
  echo "==> $target, $seconds s"
  "build/fuzz/fuzzers/$target" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=5 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$target-" "$work" "${seeds[@]}" \
    >"build/fuzz/findings/$target.log" 2>&1 || failed+=("$target")
  grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "build/fuzz/findings/$target.log" || true
done
for target in "${failed[@]}"; do tail -n 40 "build/fuzz/findings/$target.log" >&2; done
if [ ${#failed[@]} -gt 0 ]; then
  echo "fuzz.sh: failed: ${failed[*]}; inputs are in build/fuzz/findings" >&2
  exit 1
fi
echo "fuzz.sh: passed: $(echo $targets)"
