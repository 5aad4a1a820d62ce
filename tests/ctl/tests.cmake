# SPDX-License-Identifier: Apache-2.0
if(TARGET triagectl)
  add_dependencies(test_ctl_program triagectl)
  add_dependencies(test_ctl_declarations triagectl)
  add_dependencies(test_ctl_simulate triagectl)
  add_dependencies(test_ctl_score_images triagectl)
  add_dependencies(test_ctl_train_finder triagectl)
  add_dependencies(test_ctl_train_pairs triagectl)
endif()
# A thousand items on two days, sealed and replayed by the program.
add_executable(make_replay ${CMAKE_CURRENT_SOURCE_DIR}/ctl/make_replay.c)
set_target_properties(make_replay PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(make_replay PRIVATE triage_score triage_archive)
find_program(SYSTEM_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(SYSTEM_PYTHON3 python3)
if(SYSTEM_PYTHON3 AND TARGET triagectl)
  add_test(NAME ctl.replay
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/ctl/replay.py $<TARGET_FILE:make_replay>
            $<TARGET_FILE:triagectl>)
  set_tests_properties(ctl.replay PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
  if(NOT TRIAGED_SANITIZE STREQUAL "") # the bits of a thousand scores are compared in the ordinary build
    set_tests_properties(ctl.replay PROPERTIES ENVIRONMENT TRIAGED_REPLAY_ITEMS=300)
  endif()
  add_test(NAME ctl.emptiness
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/ctl/emptiness.py $<TARGET_FILE:triagectl>)
  set_tests_properties(ctl.emptiness PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
if(SYSTEM_PYTHON3 AND TARGET triagectl AND TARGET triage-feed)
  add_test(NAME ctl.project
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/ctl/project.py $<TARGET_FILE:triage-feed> $<TARGET_FILE:triagectl>)
  set_tests_properties(ctl.project PROPERTIES TIMEOUT 900)
  add_test(NAME ctl.lines
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/ctl/lines.py ${PROJECT_BINARY_DIR}/bin)
  set_tests_properties(ctl.lines PROPERTIES TIMEOUT 900)
  add_test(NAME ctl.tables
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/ctl/tables.py ${PROJECT_BINARY_DIR}/bin)
  set_tests_properties(ctl.tables PROPERTIES TIMEOUT 900)
endif()
if(SYSTEM_PYTHON3 AND TARGET triagectl AND TARGET triage-feed)
  add_test(NAME ctl.consistency
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/ctl/consistency.py $<TARGET_FILE:triage-feed>
            $<TARGET_FILE:triagectl>)
  set_tests_properties(ctl.consistency PROPERTIES TIMEOUT 900)
endif()
