#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every source file: names, function sizes, nesting, analyzer.
# Arguments: files (default: all of lib and cmd).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tool=$(command -v clang-tidy-14 || command -v clang-tidy) || {
  echo "SKIP: no clang-tidy"
  exit 77
}
cmake --preset clang >/dev/null
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -d '' files < <(find lib cmd -name '*.cc' -print0 | sort -z)
fi
if printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "$tool" -p build/clang --quiet 2>/dev/null; then
  echo "clang_tidy.sh: passed: ${#files[@]} files"
else
  echo "clang_tidy.sh: findings above, in ${#files[@]} files" >&2
  exit 1
fi
