// SPDX-License-Identifier: Apache-2.0
// Kills this process at a named place, once, for tests of executor and stub. Does nothing unless
// the executor was started with --failpoints and DISTCRON_FAILPOINT names the place.
#pragma once

namespace distcron::process {

/// `marker_dir`: where a file remembers that this place has been hit.
void failpoint(const char* name, int marker_dir);

}  // namespace distcron::process
