# SPDX-License-Identifier: Apache-2.0
# libtriage-publisher for vendors: shared and static, with the proto and base code that it needs inside; only what
# libtriage-publisher.map names is visible from the shared one.
set(publisher_map ${CMAKE_CURRENT_LIST_DIR}/libtriage-publisher.map)
add_library(triage_publisher_shared SHARED $<TARGET_OBJECTS:triage_publisher>)
target_link_libraries(triage_publisher_shared PRIVATE triage_base triage_proto PkgConfig::ZMQ)
target_link_options(triage_publisher_shared PRIVATE -Wl,--version-script=${publisher_map})
set_target_properties(triage_publisher_shared PROPERTIES OUTPUT_NAME triage-publisher LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${publisher_map})
add_library(triage_publisher_static STATIC $<TARGET_OBJECTS:triage_publisher> $<TARGET_OBJECTS:triage_base>
  $<TARGET_OBJECTS:triage_proto> $<TARGET_OBJECTS:triage_schema>)
set_target_properties(triage_publisher_static PROPERTIES OUTPUT_NAME triage-publisher LINKER_LANGUAGE C)

# from lib/pkgconfig up to the prefix: the installed tree may be moved, or have been given another --prefix
file(RELATIVE_PATH prefix_from_pkgconfig ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig ${prefix_from_pkgconfig})
configure_file(${CMAKE_CURRENT_LIST_DIR}/triage-publisher.pc.in ${PROJECT_BINARY_DIR}/triage-publisher.pc @ONLY)

add_executable(publisher_example ${CMAKE_CURRENT_LIST_DIR}/publisher_example_main.c)
target_include_directories(publisher_example PRIVATE ${CMAKE_CURRENT_LIST_DIR} ${PROJECT_SOURCE_DIR})
target_link_libraries(publisher_example PRIVATE triage_publisher_shared)

install(TARGETS triage_publisher_shared triage_publisher_static COMPONENT publisher
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/triage_publisher.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/triage
  COMPONENT publisher)
install(FILES ${PROJECT_SOURCE_DIR}/proto/record.h ${PROJECT_SOURCE_DIR}/proto/arena.h ${PROJECT_SOURCE_DIR}/proto/hash.h
  ${PROJECT_SOURCE_DIR}/proto/words.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/triage/proto COMPONENT publisher)
install(FILES ${PROJECT_BINARY_DIR}/triage-publisher.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT publisher)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/publisher_example_main.c RENAME publisher_example.c
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT publisher)
