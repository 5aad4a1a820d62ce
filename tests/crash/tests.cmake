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
