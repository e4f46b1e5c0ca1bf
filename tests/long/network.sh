#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of a cluster under network faults, with those that take long. Needs root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export DISTCRON_LONG=1 DISTCRON_BIN=${DISTCRON_BIN:-$PWD/build/bin}
for test in network partition member_disk; do
  echo "==> $test"
  python3 "tests/e2e/fleet/${test}_test.py"
done
