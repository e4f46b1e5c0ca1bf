# SPDX-License-Identifier: Apache-2.0
find_package(tomlplusplus CONFIG QUIET)
if(tomlplusplus_FOUND)
  distcron_dep(tomlplusplus tomlplusplus::tomlplusplus "${tomlplusplus_VERSION}")
else()
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
  distcron_dep(tomlplusplus PkgConfig::tomlplusplus "${tomlplusplus_VERSION}")
endif()
