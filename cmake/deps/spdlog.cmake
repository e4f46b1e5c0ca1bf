# SPDX-License-Identifier: Apache-2.0
find_package(spdlog CONFIG REQUIRED)
distcron_dep(spdlog spdlog::spdlog "${spdlog_VERSION}")
