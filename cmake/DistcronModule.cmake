# SPDX-License-Identifier: Apache-2.0
# distcron_module(NAME DEPS a b EXTERNAL x y PRECOMPILE h): one static library from all .cc of
# lib/NAME. PRECOMPILE: a header that most of them read first; compiled once with the option
# DISTCRON_PRECOMPILE, for a build from nothing that nobody will work on.
# A module that is not named in DEPS can neither be linked nor included (the tidy test sees to it).
function(distcron_module name)
  cmake_parse_arguments(arg "" "PRECOMPILE" "DEPS;EXTERNAL" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(distcron_${name} STATIC ${sources})
  target_include_directories(distcron_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
  target_link_libraries(distcron_${name} PRIVATE distcron_flags)
  if(DISTCRON_PRECOMPILE AND arg_PRECOMPILE)
    target_precompile_headers(distcron_${name} PRIVATE ${CMAKE_SOURCE_DIR}/lib/${arg_PRECOMPILE})
  endif()
  foreach(dep IN LISTS arg_DEPS)
    target_link_libraries(distcron_${name} PUBLIC distcron_${dep})
  endforeach()
  foreach(dep IN LISTS arg_EXTERNAL)
    target_link_libraries(distcron_${name} PUBLIC distcron::dep_${dep})
  endforeach()
endfunction()

# distcron_unit_test(MODULE [DEPS ...]): one doctest binary from all *_test.cc of the folder.
function(distcron_unit_test module)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  add_executable(${module}_test ${sources} $<TARGET_OBJECTS:distcron_test_main>)
  target_include_directories(${module}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${module}_test PRIVATE distcron_${module} distcron_flags
                        distcron::dep_doctest)
  foreach(dep IN LISTS arg_DEPS)
    target_link_libraries(${module}_test PRIVATE distcron_${dep})
  endforeach()
  set_target_properties(${module}_test PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  doctest_discover_tests(${module}_test TEST_PREFIX "unit.${module}."
    PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
