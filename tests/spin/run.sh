#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the models of this folder to the end, and that their seeded bugs are found.
# Exit 77 (skipped) without spin.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! command -v spin >/dev/null; then
  echo "SKIP: no spin"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# check NAME [DEFINE...]: prints what pan says of its search.
check() {
  spin -a "${@:2}" "$here/$1.pml" >spin.log || { cat spin.log; exit 1; }
  "${CC:-cc}" -O2 -DSAFETY -DNOFAIR -DCOLLAPSE -DVECTORSZ=2048 -w -o pan pan.c
  ./pan -m1000000 -n >pan.log
  cat pan.log
}

# holds [DEFINE...]: the whole search of the model finds nothing.
holds() {
  check transfer_membership "$@" >whole.log
  grep -E 'errors:|states, stored' whole.log
  if ! grep -q 'errors: 0' whole.log || grep -qiE 'max search depth|out of memory' whole.log; then
    cat whole.log >&2
    echo "run.sh: transfer_membership $*: a rule does not hold, or the search did not end" >&2
    exit 1
  fi
}

# finds DEFINE...: the seeded bug is found.
finds() {
  check transfer_membership "$@" >bug.log
  if ! grep -q 'errors: 1' bug.log; then
    cat bug.log >&2
    echo "run.sh: transfer_membership $*: the seeded bug is not found" >&2
    exit 1
  fi
  echo "found: $*"
}

holds
holds -DFOUR
finds -DFOUR -DEARLY
finds -DTWO
