# SPDX-License-Identifier: Apache-2.0
find_package(tl-expected CONFIG REQUIRED)
distcron_dep(expected tl::expected "${tl-expected_VERSION}")
