#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every seeded bug of the core, or with --fleet of agent and planner, must be found by the simulator
# within 10,000 seeds; a bug that is not found means that the simulator is too kind. DISTCRON_BIN:
# folder of distcron-sim.
# usage: mutants.sh [--fleet] [--seeds N] [--seconds T] [NAME ...]
set -euo pipefail

sim=${DISTCRON_BIN:?"DISTCRON_BIN names no folder"}/distcron-sim
seeds=10000
seconds=10
world=()
names=()
while [ $# -gt 0 ]; do
  case "$1" in
    --fleet) world=(--fleet); seconds=60 ;;
    --seeds) seeds=${2:?}; shift ;;
    --seconds) seconds=${2:?}; shift ;;
    *) names+=("$1") ;;
  esac
  shift
done
if [ ${#names[@]} -eq 0 ]; then mapfile -t names < <("$sim" "${world[@]}" --list-mutants); fi

survived=0
printf '%-24s %8s  %s\n' mutant seeds found
for name in "${names[@]}"; do
  rc=0
  out=$("$sim" "${world[@]}" --mutant "$name" --seeds "$seeds" --seconds "$seconds" --jobs "$(nproc)" --stop \
    --no-shrink) || rc=$?
  ran=$(sed -n 's/^distcron-sim: .*seeds=\([0-9]*\) .*/\1/p' <<<"$out")
  case "$rc" in
    0)
      survived=$((survived + 1))
      printf '%-24s %8s  SURVIVED\n' "$name" "$ran"
      ;;
    1)
      found=$(sed -n 's/^VIOLATION \(seed=[0-9]* invariant=[a-z_]*\).*/\1/p' <<<"$out" | head -1)
      printf '%-24s %8s  %s\n' "$name" "$ran" "$found"
      ;;
    *)
      echo "mutants.sh: distcron-sim ended with $rc for $name" >&2
      exit 1
      ;;
  esac
done
echo "mutants.sh: ${#names[@]} mutants, $survived survived $seeds seeds of $seconds s"
[ "$survived" -eq 0 ]
