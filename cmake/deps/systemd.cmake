# SPDX-License-Identifier: Apache-2.0
find_package(PkgConfig REQUIRED)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)
distcron_dep(systemd PkgConfig::systemd "${systemd_VERSION}")
