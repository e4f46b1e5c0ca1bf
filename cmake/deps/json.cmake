# SPDX-License-Identifier: Apache-2.0
find_package(nlohmann_json CONFIG REQUIRED)
distcron_dep(json nlohmann_json::nlohmann_json "${nlohmann_json_VERSION}")
