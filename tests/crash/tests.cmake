# SPDX-License-Identifier: Apache-2.0
# The crash simulator of the oversight log: the product's libraries as they are, every call of theirs
# that reaches files, threads, time or chance replaced by the linker.
set(crash_wrapped
  open openat __open_2 __openat_2 close pread __pread_chk pwrite write lseek fsync fdatasync ftruncate sync_file_range
  rename unlink mkdir rmdir chmod fstat stat access faccessat flock
  opendir readdir rewinddir closedir
  pthread_create pthread_join pthread_setname_np pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock
  pthread_mutex_unlock pthread_cond_init pthread_cond_destroy pthread_cond_wait pthread_cond_timedwait
  pthread_cond_signal pthread_cond_broadcast
  clock_gettime getrandom malloc calloc realloc aligned_alloc free EVP_MD_CTX_new EVP_MD_CTX_free
  queue_try_put must_failed)
list(TRANSFORM crash_wrapped PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE crash_link_options)
list(JOIN crash_wrapped " " crash_wrapped_words)

file(GLOB crash_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/crash/*.c)
add_library(crash_simulator OBJECT ${crash_sources})
target_link_libraries(crash_simulator PUBLIC triage_oversight)

add_executable(oversight_crash $<TARGET_OBJECTS:crash_simulator>)
set_target_properties(oversight_crash PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(oversight_crash PRIVATE triage_oversight)
target_link_options(oversight_crash PRIVATE ${crash_link_options})

# A watched build takes ten times as long for the same: fewer runs there.
set(crash_share 1)
if(NOT TRIAGED_SANITIZE STREQUAL "" OR TRIAGED_COVERAGE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(crash_share 10)
endif()
function(crash_test name runs)
  math(EXPR runs "${runs} / ${crash_share}")
  add_test(NAME oversight.${name} COMMAND oversight_crash --seed 1 --runs ${runs} ${ARGN})
  set_tests_properties(oversight.${name} PROPERTIES TIMEOUT 600)
endfunction()
crash_test(crash_simulator 4500) # more than 10,000 crashes: most runs have several
crash_test(crash_errors 4000 --mode error)
crash_test(crash_rot 4000 --mode rot)
crash_test(crash_twice 300 --twice)
crash_test(crash_errors_twice 300 --mode error --twice)

# What the simulator must replace: queue, counters and lines of base are in it, configuration files are not.
add_test(NAME oversight.crash_calls COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/crash/calls.sh "${crash_wrapped_words}"
  "$<TARGET_OBJECTS:triage_oversight>;$<TARGET_OBJECTS:triage_base>" COMMAND_EXPAND_LISTS)
set_tests_properties(oversight.crash_calls PROPERTIES SKIP_RETURN_CODE 77)

# Broken builds are for the ordinary build only.
if(NOT TRIAGED_SANITIZE STREQUAL "" OR TRIAGED_COVERAGE)
  return()
endif()

# The product broken on purpose, and the simulator must say so: NAME|MODE|RUNS|SOURCES (tests/crash/mutant.h). The runs
# are several times what it takes, because any change of the product moves all seeds; they are spent by survivors only.
set(crash_mutants
  "no_fdatasync|crash|2000|base/durable"
  "no_dsync|crash|2000|oversight/wal oversight/wal_spare oversight/wal_recover oversight/commit_index"
  "no_directory_sync|crash|2000|base/durable"
  "rename_before_sync|crash|2000|base/durable"
  "segment_name_unsynced|crash|2000|oversight/wal_spare"
  "slot_before_group|crash|2000|oversight/wal"
  "answer_before_slot|crash|2000|oversight/wal"
  "answer_before_group|crash|2000|oversight/wal"
  "checkpoint_before_signed|crash|2000|oversight/publication"
  "signed_forgotten|crash|2000|oversight/publication"
  "payload_unchecked|crash|20000|oversight/wal_scan"
  "recovery_unsynced|crash|20000|oversight/wal_recover"
  "recovered_slot_unwritten|crash|2000|oversight/wal_recover"
  "index_unsynced|crash|20000|oversight/wal_recover"
  "names_unsynced|crash|20000|oversight/wal_recover"
  "torn_tail_left|crash|20000|oversight/wal_recover"
  "pack_unsynced|crash|20000|oversight/pack_writer"
  "removed_before_told|crash|20000|oversight/retire"
  "write_error_ignored|error|2000|base/durable"
  "sync_error_ignored|error|2000|base/durable"
  "sync_retried|error|2000|base/durable"
  "damage_cut_off|rot|2000|oversight/wal_recover"
  "key_unchecked|rot|2000|oversight/publication")
set(crash_mutant_words)
set(crash_mutant_targets)
foreach(mutant ${crash_mutants})
  string(REPLACE "|" ";" mutant "${mutant}")
  list(GET mutant 0 name)
  list(GET mutant 1 mode)
  list(GET mutant 2 runs)
  list(GET mutant 3 names)
  string(REPLACE " " ";" names "${names}")
  list(TRANSFORM names PREPEND ${PROJECT_SOURCE_DIR}/daemon/ OUTPUT_VARIABLE sources)
  list(TRANSFORM sources APPEND .c)
  add_executable(oversight_crash_${name} ${sources} $<TARGET_OBJECTS:crash_simulator>)
  set_target_properties(oversight_crash_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/mutants
    EXPORT_COMPILE_COMMANDS OFF) # clang-tidy is to read the product as it is
  target_link_libraries(oversight_crash_${name} PRIVATE triage_oversight)
  target_link_options(oversight_crash_${name} PRIVATE ${crash_link_options})
  target_compile_definitions(oversight_crash_${name} PRIVATE MUTANT_${name})
  target_compile_options(oversight_crash_${name} PRIVATE -w -include ${CMAKE_CURRENT_SOURCE_DIR}/crash/mutant.h)
  list(APPEND crash_mutant_words ${name}:${mode}:${runs})
  list(APPEND crash_mutant_targets oversight_crash_${name})
endforeach()
add_custom_target(oversight_crash_mutants DEPENDS ${crash_mutant_targets})
add_test(NAME oversight.crash_mutants COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/crash/mutants.sh
  ${PROJECT_BINARY_DIR}/tests/mutants ${crash_mutant_words})
set_tests_properties(oversight.crash_mutants PROPERTIES TIMEOUT 900)
