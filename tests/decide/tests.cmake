# SPDX-License-Identifier: Apache-2.0
target_link_libraries(test_decide_rates PRIVATE triage_kernels m)
