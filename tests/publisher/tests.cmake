# SPDX-License-Identifier: Apache-2.0
# The publisher library is tested against the real receiving side.
target_link_libraries(test_publisher_triage_publisher PRIVATE triage_ingest)
# install_flags: what the product is instrumented with, see install/tests.cmake
add_test(NAME publisher.install COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/publisher/install.sh ${PROJECT_BINARY_DIR}
  ${CMAKE_C_COMPILER} ${install_flags})
