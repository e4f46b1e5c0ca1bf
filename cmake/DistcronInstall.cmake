# SPDX-License-Identifier: Apache-2.0
# Where things go on a host. Debian: cmake -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_SYSCONFDIR=/etc.
include(GNUInstallDirs)
set(DISTCRON_UNIT_DIR "lib/systemd/system" CACHE STRING "where systemd units go, below the prefix")
set(DISTCRON_SYSUSERS_DIR "lib/sysusers.d" CACHE STRING "where sysusers files go, below the prefix")
set(DISTCRON_ZSH_DIR "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions" CACHE STRING
    "where the completion for zsh goes (site-functions on Fedora)")
set(private_dir lib/distcron)

function(distcron_install_program target destination)
  if(TARGET ${target})
    install(TARGETS ${target} RUNTIME DESTINATION ${destination})
  endif()
endfunction()
distcron_install_program(distcrond ${CMAKE_INSTALL_SBINDIR})
distcron_install_program(distcronctl ${CMAKE_INSTALL_BINDIR})
foreach(program distcron-exec distcron-run distcron-run-pam)
  distcron_install_program(${program} ${private_dir})
endforeach()

foreach(section 1 5 7 8)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.${section})
  if(pages)
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endif()
endforeach()

install(FILES ${CMAKE_SOURCE_DIR}/completions/distcronctl.bash RENAME distcronctl
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${CMAKE_SOURCE_DIR}/completions/_distcronctl DESTINATION ${DISTCRON_ZSH_DIR})
install(FILES ${CMAKE_SOURCE_DIR}/completions/distcronctl.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

set(pack ${CMAKE_SOURCE_DIR}/packaging)
install(FILES ${pack}/systemd/distcrond.service ${pack}/systemd/distcron-exec.service
              ${pack}/systemd/distcron-shutdown.service DESTINATION ${DISTCRON_UNIT_DIR})
install(FILES ${pack}/sysusers.d/distcron.conf DESTINATION ${DISTCRON_SYSUSERS_DIR})
install(FILES ${pack}/pam.d/distcron DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/pam.d)
install(FILES ${pack}/distcrond.toml DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/distcron)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/distcron/conf.d)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/distcron/policy.d)
install(FILES ${pack}/examples/sample.crontab ${pack}/policy.d/00-example.toml
        DESTINATION ${CMAKE_INSTALL_DATADIR}/distcron/examples)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/CHANGELOG.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
