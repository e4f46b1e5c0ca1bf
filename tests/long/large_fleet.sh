#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Clusters of 103 simulated agents: 3, 5 or 7 voters, the rest standbys; jobs on all hosts, a fault
# every 15 s. Every slot is accounted for, and no fault makes more than one election and the way
# back. Prints a line of figures for each. DISTCRON_BIN: folder of distcron-sim.
# usage: large_fleet.sh [--seeds N] [--first S] [--seconds T] [--hosts N]
set -euo pipefail

sim=${DISTCRON_BIN:?"DISTCRON_BIN names no folder"}/distcron-sim
seeds=3
first=1
seconds=60
hosts=103
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds) seeds=${2:?} ;;
    --first) first=${2:?} ;;
    --seconds) seconds=${2:?} ;;
    --hosts) hosts=${2:?} ;;
    *) echo "large_fleet.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done

faults=$(((seconds - 8 + 14) / 15))
for ((seed = first; seed < first + seeds; seed++)); do
  out=$("$sim" --fleet --hosts "$hosts" --first "$seed" --seconds "$seconds" --no-shrink) || {
    tail -40 <<<"$out"
    exit 1
  }
  echo "$out"
  terms=$(sed -n 's/.* terms=\([0-9]*\) .*/\1/p' <<<"$out")
  if [ "$terms" -gt $((1 + 2 * faults)) ]; then
    echo "large_fleet.sh: $terms schedulers for $faults faults" >&2
    exit 1
  fi
done
