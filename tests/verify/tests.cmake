# SPDX-License-Identifier: Apache-2.0
foreach(subject log story chain)
  target_sources(test_verify_${subject} PRIVATE verify/log_maker.c archive/range.c)
  target_include_directories(test_verify_${subject} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/archive)
  target_link_libraries(test_verify_${subject} PRIVATE m)
endforeach()
add_dependencies(test_verify_log triage-verify)
