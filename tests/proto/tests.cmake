# SPDX-License-Identifier: Apache-2.0
# Entries of our encoder, read by a decoder that is not ours. Debian's own python3 is asked first: that is where its
# packages are.
find_program(SYSTEM_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(SYSTEM_PYTHON3 python3)
if(SYSTEM_PYTHON3)
  add_executable(proto_entry_writer ${CMAKE_CURRENT_SOURCE_DIR}/proto/entry_writer.c)
  set_target_properties(proto_entry_writer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(proto_entry_writer PRIVATE triage_proto)
  add_test(NAME proto.decode_entry
    COMMAND ${SYSTEM_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/proto/decode_entry.py $<TARGET_FILE:proto_entry_writer>
            ${PROJECT_SOURCE_DIR})
  set_tests_properties(proto.decode_entry PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
