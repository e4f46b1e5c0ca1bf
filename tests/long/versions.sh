#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Agents of this version and of the feature level before it as one cluster. Builds the programs of
# a commit of that level from the history, into build/versions; DISTCRON_OLD_BIN names a folder that
# has them already. Skipped where there is no history.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export DISTCRON_BIN=${DISTCRON_BIN:-$PWD/build/bin}
old=a8b77804c516ac927b8f9b7a47b17435c8c1a40b # of feature level 2
if [[ -z ${DISTCRON_OLD_BIN:-} ]]; then
  if ! git cat-file -e "$old^{commit}" 2>/dev/null; then
    echo "SKIP: no history here with the commit $old"
    exit 77
  fi
  folder=$PWD/build/versions/$old
  mkdir -p "$folder/src"
  if [[ ! -x $folder/src/build/bin/distcrond ]]; then
    git archive "$old" | tar -x -C "$folder/src"
    (
      cd "$folder/src"
      cmake --preset release -DDISTCRON_TESTS=OFF -DDISTCRON_QUICK=ON
      cmake --build build
    ) >"$folder/build.log" 2>&1 || {
      tail -n 20 "$folder/build.log" >&2
      exit 1
    }
  fi
  export DISTCRON_OLD_BIN=$folder/src/build/bin
fi
exec python3 tests/e2e/fleet/versions_test.py
