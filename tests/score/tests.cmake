# SPDX-License-Identifier: Apache-2.0
target_link_libraries(test_score_parcels PRIVATE triage_picture)
if(NOT TRIAGED_SANITIZE STREQUAL "")
  set_tests_properties(score.parcels PROPERTIES LABELS slow) # how good, not how safe; flow.real reads the same images
endif()
target_link_libraries(test_score_emptiness PRIVATE triage_feeds)
# Counts what our own code allocates inside score_items().
target_link_options(test_score_score PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
# Fails an allocation of our own code.
target_link_options(test_score_working PRIVATE -Wl,--wrap=malloc)
# Starting again cannot be seen with a library that chooses well by itself: a pretended one is linked instead.
add_executable(blas_core_probe ${CMAKE_CURRENT_SOURCE_DIR}/score/blas_core_probe.c
  ${PROJECT_SOURCE_DIR}/daemon/score/blas_core.c)
target_include_directories(blas_core_probe PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/daemon)
set_target_properties(blas_core_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
add_dependencies(test_score_blas_core blas_core_probe)
