# SPDX-License-Identifier: Apache-2.0
if(DISTCRON_TESTS)
  find_package(doctest CONFIG REQUIRED)
  include(doctest)
  distcron_dep(doctest doctest::doctest "${doctest_VERSION}")
endif()
