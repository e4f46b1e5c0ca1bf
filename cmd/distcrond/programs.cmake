# SPDX-License-Identifier: Apache-2.0
# The side of root: the executor and the two stubs. Static without NSS, so that they start fast and
# depend on nothing of the host. Under a sanitizer they are dynamic (it cannot be linked statically).
set(distcron_static_link "")
if(NOT DISTCRON_SANITIZE)
  set(distcron_static_link -static)
endif()
add_executable(distcron-exec ${CMAKE_CURRENT_LIST_DIR}/exec_main.cc)
target_link_libraries(distcron-exec PRIVATE distcron_process distcron_flags)
target_link_options(distcron-exec PRIVATE ${distcron_static_link})

add_executable(distcron-run ${CMAKE_CURRENT_LIST_DIR}/run_main.cc)
target_link_libraries(distcron-run PRIVATE distcron_process distcron_flags)
target_link_options(distcron-run PRIVATE ${distcron_static_link})
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT DISTCRON_SANITIZE)
  set(stub_sources ${CMAKE_CURRENT_LIST_DIR}/run_start.cc ${CMAKE_CURRENT_LIST_DIR}/run_syscalls.cc)
  target_sources(distcron-run PRIVATE ${stub_sources})
  set_source_files_properties(${stub_sources} PROPERTIES COMPILE_OPTIONS
    "-O2;-ffreestanding;-fno-builtin;-fno-stack-protector;-fno-exceptions;-U_FORTIFY_SOURCE")
  target_link_options(distcron-run PRIVATE -nostdlib)
endif()

find_library(DISTCRON_PAM_LIBRARY pam REQUIRED)
add_executable(distcron-run-pam ${CMAKE_CURRENT_LIST_DIR}/run_pam_main.cc)
target_link_libraries(distcron-run-pam PRIVATE distcron_process distcron_flags
                      ${DISTCRON_PAM_LIBRARY})
# A stub is of no use without its sibling.
add_dependencies(distcron-exec distcron-run distcron-run-pam)
