# SPDX-License-Identifier: Apache-2.0
# The publisher library is tested against the real receiving side.
target_link_libraries(test_publisher_triage_publisher PRIVATE triage_ingest)
set(install_flags)
if(NOT TRIAGED_SANITIZE STREQUAL "")
  set(install_flags -fsanitize=${TRIAGED_SANITIZE})
endif()
if(TRIAGED_COVERAGE)
  list(APPEND install_flags --coverage)
endif()
add_test(NAME publisher.install COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/publisher/install.sh ${PROJECT_BINARY_DIR}
  ${CMAKE_C_COMPILER} ${install_flags})
