# SPDX-License-Identifier: Apache-2.0
# The publisher library is tested against the real receiving side.
target_link_libraries(test_publisher_triage_publisher PRIVATE triage_ingest)
