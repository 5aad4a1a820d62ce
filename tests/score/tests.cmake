# SPDX-License-Identifier: Apache-2.0
target_link_libraries(test_score_parcels PRIVATE triage_picture)
