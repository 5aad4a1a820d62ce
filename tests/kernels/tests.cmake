# SPDX-License-Identifier: Apache-2.0
# The statistics against scipy on random inputs; exit 77 says why it was skipped. Debian's own interpreter comes first:
# python3-scipy is installed for that one.
add_executable(print_statistics kernels/print_statistics.c)
set_target_properties(print_statistics PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(print_statistics PRIVATE triage_kernels)
find_program(ORACLE_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(ORACLE_PYTHON python3)
if(ORACLE_PYTHON)
  add_test(NAME kernels.oracle_statistics
    COMMAND ${ORACLE_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/kernels/oracle_statistics.py $<TARGET_FILE:print_statistics>)
  set_tests_properties(kernels.oracle_statistics PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
# The same kernels on other instruction sets than OpenBLAS would choose: results that promise their bits must keep them.
# What a sanitizer watches, our own code, is the same on all of them.
if(NOT TRIAGED_SANITIZE STREQUAL "")
  return()
endif()
set(cores Prescott)
file(STRINGS /proc/cpuinfo flags REGEX "^flags.* avx2( |$)" LIMIT_COUNT 1)
if(flags)
  list(APPEND cores Haswell)
endif()
file(STRINGS /proc/cpuinfo flags REGEX "^flags.* avx512f .*avx512vl( |$)" LIMIT_COUNT 1)
if(flags)
  list(APPEND cores SkylakeX)
endif()
foreach(core ${cores})
  foreach(subject nearest nearest_amx patch)
    add_test(NAME kernels.${subject}_on_${core} COMMAND test_kernels_${subject} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
    set_tests_properties(kernels.${subject}_on_${core} PROPERTIES ENVIRONMENT "OPENBLAS_CORETYPE=${core}" TIMEOUT 900)
  endforeach()
endforeach()
