#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""10 times kill -9 of the agent, 5 of the executor, 5 of both: tests/support/kill_cycles.py."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import kill_cycles  # noqa: E402

if __name__ == "__main__":
    sys.exit(kill_cycles.run(10, 5, 5))
