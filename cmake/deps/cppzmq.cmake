# SPDX-License-Identifier: Apache-2.0
find_package(cppzmq CONFIG REQUIRED)
distcron_dep(cppzmq cppzmq "${cppzmq_VERSION}")
