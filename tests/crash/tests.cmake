# SPDX-License-Identifier: Apache-2.0
# The crash simulator of the oversight log: the product's libraries as they are, every call of theirs
# that reaches files, threads, time or chance replaced by the linker.
set(crash_wrapped
  open openat close pread pwrite write lseek fsync fdatasync rename unlink mkdir rmdir fstat access faccessat flock
  opendir readdir rewinddir closedir
  pthread_create pthread_join pthread_setname_np pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock
  pthread_mutex_unlock pthread_cond_init pthread_cond_destroy pthread_cond_wait pthread_cond_timedwait
  pthread_cond_signal pthread_cond_broadcast
  clock_gettime getrandom malloc calloc realloc aligned_alloc free EVP_MD_CTX_new EVP_MD_CTX_free
  queue_try_put must_failed)
list(TRANSFORM crash_wrapped PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE crash_link_options)

file(GLOB crash_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/crash/*.c)
add_library(crash_simulator OBJECT ${crash_sources})
target_link_libraries(crash_simulator PUBLIC triage_oversight)

add_executable(oversight_crash $<TARGET_OBJECTS:crash_simulator>)
set_target_properties(oversight_crash PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(oversight_crash PRIVATE triage_oversight)
target_link_options(oversight_crash PRIVATE ${crash_link_options})

# The product broken on purpose, and the simulator must say so: NAME|MODE|RUNS|SOURCES (tests/crash/mutant.h).
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
  "payload_unchecked|crash|2000|oversight/wal_scan"
  "recovery_unsynced|crash|2000|oversight/wal_recover"
  "recovered_slot_unwritten|crash|2000|oversight/wal_recover"
  "index_unsynced|crash|2000|oversight/wal_recover"
  "names_unsynced|crash|2000|oversight/wal_recover"
  "torn_tail_left|crash|2000|oversight/wal_recover"
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
  set_target_properties(oversight_crash_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/mutants)
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
