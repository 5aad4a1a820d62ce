# SPDX-License-Identifier: Apache-2.0
# Whole-system tests: real daemon, real feeds, real files.
add_executable(flow_bad_publisher flow/flow_bad_publisher.c)
set_target_properties(flow_bad_publisher PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(flow_bad_publisher PRIVATE triage_publisher PkgConfig::ZMQ)
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(case life kill refusals disk_full real)
    add_test(NAME flow.${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/flow.py ${case})
    set_tests_properties(flow.${case} PROPERTIES LABELS "flow;threads" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
endif()
