# SPDX-License-Identifier: Apache-2.0
find_package(date CONFIG REQUIRED)
distcron_dep(date date::date-tz "${date_VERSION}")
