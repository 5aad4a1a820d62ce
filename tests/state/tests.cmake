# SPDX-License-Identifier: Apache-2.0
target_link_libraries(test_state_queue_order PRIVATE triage_decide m)
