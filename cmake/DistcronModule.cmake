# SPDX-License-Identifier: Apache-2.0
# distcron_module(NAME [SEPARATE] DEPS a b EXTERNAL x y [PRECOMPILE h]): one static library from
# all .cc of lib/NAME. With the option DISTCRON_QUICK it is little optimised and several sources are
# compiled as one; not with SEPARATE, where a program without a C library takes single objects, and
# with PRECOMPILE, where sources have names in common, the header that most read first is compiled
# once instead.
# A module that is not named in DEPS can neither be linked nor included (the tidy test sees to it).
function(distcron_module name)
  cmake_parse_arguments(arg "SEPARATE" "PRECOMPILE" "DEPS;EXTERNAL" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(distcron_${name} STATIC ${sources})
  target_include_directories(distcron_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
  target_link_libraries(distcron_${name} PRIVATE distcron_flags)
  if(DISTCRON_QUICK AND NOT arg_SEPARATE)
    target_compile_options(distcron_${name} PRIVATE -O1)
  endif()
  if(DISTCRON_QUICK AND arg_PRECOMPILE)
    target_precompile_headers(distcron_${name} PRIVATE ${CMAKE_SOURCE_DIR}/lib/${arg_PRECOMPILE})
  elseif(DISTCRON_QUICK AND NOT arg_SEPARATE)
    set_target_properties(distcron_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
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
