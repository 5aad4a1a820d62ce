# SPDX-License-Identifier: Apache-2.0
# Other people's verifiers on logs of our writer.
add_executable(foreign_make_logs foreign/make_logs.c foreign/foreign_story.c)
add_executable(foreign_print_proofs foreign/print_proofs.c)
foreach(tool make_logs print_proofs)
  set_target_properties(foreign_${tool} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(foreign_${tool} PRIVATE triage_oversight m)
endforeach()
