#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three times kill -9 of the scheduler; the long form does 50."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import failover  # noqa: E402

if __name__ == "__main__":
    sys.exit(failover.run(3))
