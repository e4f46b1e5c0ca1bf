# SPDX-License-Identifier: Apache-2.0
find_package(SQLite3 REQUIRED)
distcron_dep(sqlite3 SQLite::SQLite3 "${SQLite3_VERSION}")
