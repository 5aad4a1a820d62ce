# SPDX-License-Identifier: Apache-2.0
add_library(tests_verify_log_maker OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/verify/log_maker.c)
target_link_libraries(tests_verify_log_maker PUBLIC triage_verify_lib tests_archive_range)
foreach(subject against chain files keeping log pruned report shadow story times)
  target_link_libraries(test_verify_${subject} PRIVATE tests_verify_log_maker tests_archive_range)
endforeach()
target_link_libraries(test_verify_pruned PRIVATE triage_oversight)
add_dependencies(test_verify_log triage-verify)

# The page of the entries: its table against the schema, its commands on a log.
add_executable(verify_log_writer ${CMAKE_CURRENT_SOURCE_DIR}/verify/log_writer.c)
set_target_properties(verify_log_writer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(verify_log_writer PRIVATE tests_verify_log_maker tests_archive_range)
add_test(NAME verify.read_with_protoc
  COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/verify/read_with_protoc.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:verify_log_writer>)
set_tests_properties(verify.read_with_protoc PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
find_program(SYSTEM_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(SYSTEM_PYTHON3 python3)
if(SYSTEM_PYTHON3)
  add_test(NAME verify.entry_table
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/verify/entry_table.py ${PROJECT_SOURCE_DIR})
  set_tests_properties(verify.entry_table PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
target_link_libraries(test_verify_day PRIVATE triage_oversight triage_decide tests_archive_range)
