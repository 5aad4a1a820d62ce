# SPDX-License-Identifier: Apache-2.0
# What cmake --install lays out beside the programs and the vendors' library. Paths inside files are made at install time, so
# that --prefix is enough: with /usr the configuration is /etc/triaged, elsewhere PREFIX/etc/triaged.
set(config_folder ${CMAKE_CURRENT_LIST_DIR})

install(DIRECTORY ${config_folder}/metrics DESTINATION ${CMAKE_INSTALL_DATADIR}/triaged FILES_MATCHING PATTERN "*.sql")
install(DIRECTORY ${config_folder}/mappings DESTINATION ${CMAKE_INSTALL_DATADIR}/triaged)
foreach(program triagectl triage-feed triage-verify triage-witness)
  install(FILES ${config_folder}/man/${program}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${config_folder}/completion/${program}.bash RENAME ${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endforeach()
install(PROGRAMS ${config_folder}/restore_drill.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/triaged)
install(FILES ${config_folder}/man/triaged.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/daemon/witness/WITNESS.md ${PROJECT_SOURCE_DIR}/daemon/archive/RETENTION.md
  ${PROJECT_SOURCE_DIR}/daemon/console/CONSOLE.md ${PROJECT_SOURCE_DIR}/proto/PROTOCOL.md
  ${PROJECT_SOURCE_DIR}/proto/triage.proto ${PROJECT_SOURCE_DIR}/proto/oversight.proto DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(CODE "
  set(sbin \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SBINDIR}\")
  set(bin \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
  set(etc \"\${CMAKE_INSTALL_PREFIX}/etc\")
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    set(etc /etc)
  endif()
  # somebody's configuration is kept; the new one lies beside it
  foreach(name triaged.conf policy.conf)
    set(kept \"\")
    if(EXISTS \"\$ENV{DESTDIR}\${etc}/triaged/\${name}\")
      set(kept .new)
    endif()
    file(INSTALL \"${config_folder}/\${name}\" DESTINATION \"\${etc}/triaged\" RENAME \"\${name}\${kept}\")
  endforeach()
  configure_file(\"${config_folder}/systemd/triaged.service\" \"${PROJECT_BINARY_DIR}/triaged.service\" @ONLY)
  file(INSTALL \"${PROJECT_BINARY_DIR}/triaged.service\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  configure_file(\"${config_folder}/systemd/triaged-learn.service\" \"${PROJECT_BINARY_DIR}/triaged-learn.service\" @ONLY)
  file(INSTALL \"${PROJECT_BINARY_DIR}/triaged-learn.service\" \"${config_folder}/systemd/triaged-learn.timer\"
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  file(INSTALL \"${config_folder}/systemd/triaged-year.service\" \"${config_folder}/systemd/triaged-year.timer\"
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  configure_file(\"${config_folder}/systemd/triage-witness.service\" \"${PROJECT_BINARY_DIR}/triage-witness.service\" @ONLY)
  file(INSTALL \"${PROJECT_BINARY_DIR}/triage-witness.service\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  file(INSTALL \"${config_folder}/systemd/triage-witness.sysusers\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/sysusers.d\"
    RENAME triage-witness.conf)
  file(INSTALL \"${config_folder}/systemd/triaged.sysusers\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/sysusers.d\"
    RENAME triaged.conf)
")
