# SPDX-License-Identifier: Apache-2.0
# Real witnesses, real daemon.
if(Python3_FOUND)
  foreach(case quorum verify rollback fork survive hostile offline close)
    add_test(NAME witness.${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/witness/flow_witness.py ${case})
    set_tests_properties(witness.${case} PROPERTIES LABELS "flow;threads" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  # other people's code; only what is ours differs between builds
  if(TRIAGED_SANITIZE STREQUAL "" AND NOT TRIAGED_COVERAGE)
    add_test(NAME witness.interop COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/witness/flow_witness.py interop)
    set_tests_properties(witness.interop PROPERTIES LABELS flow SKIP_RETURN_CODE 77 TIMEOUT 600 RESOURCE_LOCK foreign_go_modules
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endif()
endif()
