#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds with address and undefined-behaviour sanitizers, with the thread sanitizer and with
# clang; runs the tests that each of them is for. Arguments: the presets to run (default: all).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
presets=("$@")
if [ ${#presets[@]} -eq 0 ]; then presets=(asan tsan clang); fi
failed=()
for preset in "${presets[@]}"; do
  labels='^(unit|sim|e2e)$'
  # libzmq is not instrumented, and clang adds only its warnings: pure tests are enough there.
  if [ "$preset" != asan ]; then labels='^(unit|sim)$'; fi
  echo "==> $preset"
  cmake --preset "$preset" >/dev/null
  cmake --build "build/$preset" -j "$(nproc)"
  env ASAN_OPTIONS=detect_stack_use_after_return=1:verify_asan_link_order=0 UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS="second_deadlock_stack=1 ignore_noninstrumented_modules=1 suppressions=$PWD/tests/tsan.supp" \
    ctest --test-dir "build/$preset" -L "$labels" -LE '^(long|bench)$' -j "$(nproc)" \
    --output-on-failure --no-tests=error || failed+=("$preset")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "sanitizers.sh: failed: ${failed[*]}" >&2
  exit 1
fi
echo "sanitizers.sh: passed: ${presets[*]}"
