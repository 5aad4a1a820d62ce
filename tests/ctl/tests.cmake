# SPDX-License-Identifier: Apache-2.0
if(TARGET triagectl)
  add_dependencies(test_ctl_program triagectl)
endif()
# A thousand items on two days, sealed and replayed by the program.
add_executable(make_replay ${CMAKE_CURRENT_SOURCE_DIR}/ctl/make_replay.c)
set_target_properties(make_replay PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(make_replay PRIVATE triage_score triage_archive)
