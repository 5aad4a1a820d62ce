# SPDX-License-Identifier: Apache-2.0
# The oversight log on the real kernel: calls that fail, power cuts, rot, golden files.
add_executable(oversight_cycle oversight/cycle.c oversight/ledger.c)
set_target_properties(oversight_cycle PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(oversight_cycle PRIVATE triage_oversight)
add_executable(oversight_inject oversight/inject.c)
set_target_properties(oversight_inject PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
# The same program once more, broken on purpose: what the tests must notice.
add_executable(oversight_broken oversight/cycle.c oversight/ledger.c oversight/breakage.c)
set_target_properties(oversight_broken PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(oversight_broken PRIVATE triage_oversight)
set(broken_calls fsync fdatasync open openat pwrite commit_index_write wal_settle durable_replace)
list(TRANSFORM broken_calls PREPEND -Wl,--wrap=)
target_link_options(oversight_broken PRIVATE ${broken_calls})
