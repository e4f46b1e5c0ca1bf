# SPDX-License-Identifier: Apache-2.0
find_package(CLI11 CONFIG REQUIRED)
distcron_dep(cli11 CLI11::CLI11 "${CLI11_VERSION}")
