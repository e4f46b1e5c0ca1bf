# SPDX-License-Identifier: Apache-2.0
# Warnings, hardening and sanitizers as one INTERFACE target, linked PRIVATE by each of our targets.
add_library(distcron_flags INTERFACE)
target_compile_options(distcron_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
  -Woverloaded-virtual -Wnon-virtual-dtor -Wnull-dereference -Wformat=2 -Wimplicit-fallthrough
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<BOOL:${DISTCRON_WERROR}>:-Werror>
  $<$<CONFIG:RelWithDebInfo>:-fstack-protector-strong>)
# No warnings: the compiler warns of the standard library itself when that comes from a precompiled
# header.
target_compile_options(distcron_flags INTERFACE $<$<BOOL:${DISTCRON_QUICK}>:-g0;-w>)
target_compile_definitions(distcron_flags INTERFACE
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
target_link_options(distcron_flags INTERFACE
  $<$<CONFIG:RelWithDebInfo>:-Wl,-z,relro,-z,now>)
if(NOT DISTCRON_SANITIZE)
  # The sanitizers replace the functions that this would fortify.
  target_compile_definitions(distcron_flags INTERFACE $<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>)
else()
  target_compile_options(distcron_flags INTERFACE -fsanitize=${DISTCRON_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-null-dereference)
  target_link_options(distcron_flags INTERFACE -fsanitize=${DISTCRON_SANITIZE})
endif()
if(DISTCRON_FUZZ)
  # Coverage of our own code guides the fuzzer; the targets themselves link -fsanitize=fuzzer.
  target_compile_options(distcron_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
