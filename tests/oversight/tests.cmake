# SPDX-License-Identifier: Apache-2.0
# The oversight log on the real kernel: calls that fail, power cuts, rot, golden files.
add_executable(oversight_cycle oversight/cycle.c oversight/ledger.c)
set_target_properties(oversight_cycle PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(oversight_cycle PRIVATE triage_oversight)
add_executable(oversight_inject oversight/inject.c)
set_target_properties(oversight_inject PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
add_dependencies(oversight_cycle oversight_inject triage-verify)
# The same program once more, broken on purpose: what the tests must notice.
add_executable(oversight_broken oversight/cycle.c oversight/ledger.c oversight/breakage.c)
set_target_properties(oversight_broken PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(oversight_broken PRIVATE triage_oversight)
set(broken_calls fsync fdatasync open openat pwrite commit_index_write wal_settle durable_replace clock_utc_ns)
list(TRANSFORM broken_calls PREPEND -Wl,--wrap=)
target_link_options(oversight_broken PRIVATE ${broken_calls})

# oversight_script(NAME script arguments...): the test oversight.NAME
function(oversight_script name script)
  add_test(NAME oversight.${name}
    COMMAND ${SYSTEM_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/oversight/${script}.py ${ARGN})
  set_tests_properties(oversight.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
endfunction()

oversight_script(disk disk)
oversight_script(rot rot)
oversight_script(golden golden)
# Thousands of runs of a program that sanitizers slow down, some of them traced, which a leak check does not bear.
if(TRIAGED_SANITIZE STREQUAL "")
  oversight_script(trace trace)
  oversight_script(faults faults)
  oversight_script(power power --cycles 200)
  set_tests_properties(oversight.faults oversight.power PROPERTIES LABELS slow)
  set_tests_properties(oversight.faults PROPERTIES PROCESSORS 2) # so many runs at a time
  # Tests of the tests: what is left out, and who must notice. A power cut shows nothing on ext4 where O_DIRECT or the
  # sync of a file carries the rest along: there the order of calls is the witness.
  foreach(broken no-sync no-directory-sync no-write-sync no-file-sync answer-early sign-late)
    oversight_script(broken.trace.${broken} trace --broken ${broken})
  endforeach()
  foreach(broken write-hopeful write-again)
    oversight_script(broken.faults.${broken} faults --broken ${broken})
  endforeach()
  foreach(broken no-sync no-file-sync)
    oversight_script(broken.power.${broken} power --cycles 20 --broken ${broken})
  endforeach()
endif()
