#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many seeds of both simulated worlds, without a violation: the Raft core's, and a tenth as many of
# whole agents. DISTCRON_BIN: folder of distcron-sim; DISTCRON_SIM_SEEDS, DISTCRON_SIM_FIRST: how many,
# from which on.
set -euo pipefail

sim=${DISTCRON_BIN:?"DISTCRON_BIN names no folder"}/distcron-sim
seeds=${DISTCRON_SIM_SEEDS:-100000}
first=${DISTCRON_SIM_FIRST:-1}
# Every hundredth runs for an hour of its time.
"$sim" --seeds "$((seeds / 100))" --first "$((first + 1000000000))" --seconds 3600 \
  --jobs "$(nproc)" --stop
"$sim" --fleet --seeds "$((seeds / 10))" --first "$first" --jobs "$(nproc)" --stop
"$sim" --seeds "$seeds" --first "$first" --seconds 120 --jobs "$(nproc)" --stop --marks 100
