# SPDX-License-Identifier: Apache-2.0
# Whole-system tests: real daemon, real feeds, real files.
add_executable(flow_bad_publisher flow/flow_bad_publisher.c)
set_target_properties(flow_bad_publisher PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(flow_bad_publisher PRIVATE triage_publisher PkgConfig::ZMQ)
add_executable(flow_ask flow/flow_ask.c)
set_target_properties(flow_ask PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(flow_ask PRIVATE triage_ctl)
# The daemon once more, counting what its own code allocates.
add_executable(triaged_counted flow/count_allocations.c)
set_target_properties(triaged_counted PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(triaged_counted PRIVATE triaged_stages)
target_link_options(triaged_counted PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup)
# Preloaded into the daemon that flow.archive_kill kills. A sanitizer wants to be first itself.
if(TRIAGED_SANITIZE STREQUAL "")
  add_library(kill_archive SHARED flow/kill_archive.c)
  set_target_properties(kill_archive PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_compile_options(kill_archive PRIVATE -Wno-missing-prototypes -Wno-pedantic)
  target_link_libraries(kill_archive PRIVATE ${CMAKE_DL_LIBS})
endif()
# And with a clock that can be shifted.
add_executable(triaged_shifted flow/shifted_clock.c)
set_target_properties(triaged_shifted PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(triaged_shifted PRIVATE triaged_stages)
target_link_options(triaged_shifted PRIVATE -Wl,--wrap=clock_utc_ns)
# And with a model in shadow that can be made to hang.
add_executable(triaged_stalled flow/stalled_shadow.c)
set_target_properties(triaged_stalled PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(triaged_stalled PRIVATE triaged_stages)
target_link_options(triaged_stalled PRIVATE -Wl,--wrap=score_items)
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(case life kill refusals allocations disk_full real privacy access)
    add_test(NAME flow.${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/flow.py ${case})
    set_tests_properties(flow.${case} PROPERTIES LABELS "flow;threads" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR};TRIAGED_SANITIZE=${TRIAGED_SANITIZE}")
  endforeach()
  foreach(case kill rebuild)
    add_test(NAME flow.archive_${case}
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/archive.py ${case})
    set_tests_properties(flow.archive_${case} PROPERTIES LABELS "flow" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  foreach(case life trouble kill drill)
    add_test(NAME flow.retain_${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/retain.py ${case})
    set_tests_properties(flow.retain_${case} PROPERTIES LABELS "flow" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  add_test(NAME flow.images COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/images.py)
  set_tests_properties(flow.images PROPERTIES LABELS "flow;threads" SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  foreach(case retrain adapt)
    add_test(NAME flow.learn_${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/learn.py ${case})
    set_tests_properties(flow.learn_${case} PROPERTIES LABELS "flow" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  foreach(case life decides_nothing trouble images)
    add_test(NAME flow.shadow_${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/shadow.py ${case})
    set_tests_properties(flow.shadow_${case} PROPERTIES LABELS "flow" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  set_tests_properties(flow.shadow_decides_nothing flow.shadow_trouble PROPERTIES LABELS "flow;threads")
  foreach(script receipts prune policy ageing scanners marks)
    add_test(NAME flow.${script} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/${script}.py)
    set_tests_properties(flow.${script} PROPERTIES LABELS "flow" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  foreach(case days midnight)
    add_test(NAME flow.draw_${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/draws.py ${case})
    set_tests_properties(flow.draw_${case} PROPERTIES LABELS "flow" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  foreach(case year close turn_kill rotate rotate_kill)
    add_test(NAME flow.shard_${case} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flow/shards.py ${case})
    set_tests_properties(flow.shard_${case} PROPERTIES LABELS "flow;threads" SKIP_RETURN_CODE 77 TIMEOUT 900
      ENVIRONMENT "TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
endif()
