# SPDX-License-Identifier: Apache-2.0
# Real witnesses, real daemon.
if(Python3_FOUND)
  foreach(case quorum verify rollback fork survive hostile)
    add_test(NAME witness.${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/witness/flow_witness.py ${case})
    set_tests_properties(witness.${case} PROPERTIES LABELS "flow;threads" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
endif()
