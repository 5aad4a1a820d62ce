# SPDX-License-Identifier: Apache-2.0
# Other people's verifiers on logs of our writer.
add_executable(foreign_make_logs foreign/make_logs.c foreign/foreign_story.c)
add_executable(foreign_print_proofs foreign/print_proofs.c)
foreach(tool make_logs print_proofs)
  set_target_properties(foreign_${tool} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(foreign_${tool} PRIVATE triage_oversight m)
endforeach()

find_program(SYSTEM_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(SYSTEM_PYTHON3 python3)
set(foreign_verifiers own xmod ct nebulous sigstore tessera tlog_proof torchwood hand python)
# Not with sanitizers: the verifiers are not ours, and what is has tests of its own there.
if(SYSTEM_PYTHON3 AND TRIAGED_SANITIZE STREQUAL "" AND NOT TRIAGED_COVERAGE)
  foreach(step logs ${foreign_verifiers} clean)
    add_test(NAME foreign.${step} COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/foreign/foreign.py ${step})
    set_tests_properties(foreign.${step} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600
      ENVIRONMENT "TRIAGED_SOURCE=${PROJECT_SOURCE_DIR};TRIAGED_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
  foreach(verifier ${foreign_verifiers})
    set_tests_properties(foreign.${verifier} PROPERTIES FIXTURES_REQUIRED foreign_logs)
  endforeach()
  set_tests_properties(foreign.logs PROPERTIES FIXTURES_SETUP foreign_logs)
  set_tests_properties(foreign.clean PROPERTIES FIXTURES_CLEANUP foreign_logs)
  # these share the fetched modules and the standard library compiled for them
  set_tests_properties(foreign.tessera foreign.tlog_proof foreign.torchwood PROPERTIES RESOURCE_LOCK foreign_go_modules)
endif()
