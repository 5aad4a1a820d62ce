# SPDX-License-Identifier: Apache-2.0
target_sources(test_archive_archive PRIVATE archive/range.c)
target_link_libraries(test_archive_archive PRIVATE m)
target_sources(test_archive_archive_copy PRIVATE archive/faulty.c)
target_sources(test_archive_part PRIVATE archive/faulty.c)
target_sources(test_archive_reread PRIVATE archive/faulty.c)
target_sources(test_archive_images PRIVATE archive/faulty.c)

add_executable(make_archive archive/make_archive.c archive/range.c)
set_target_properties(make_archive PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(make_archive PRIVATE triage_archive m)
target_compile_definitions(make_archive PRIVATE SOURCE_DIR="${PROJECT_SOURCE_DIR}")

# Debian's own Python has the h5py package; another python3 in front of it may not.
find_program(SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT SYSTEM_PYTHON)
  find_program(SYSTEM_PYTHON python3 REQUIRED)
endif()
add_test(NAME archive.h5py
  COMMAND ${SYSTEM_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/archive/check_archive.py $<TARGET_FILE:make_archive>)
set_tests_properties(archive.h5py PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
add_test(NAME archive.h5wasm
  COMMAND ${SYSTEM_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/archive/check_h5wasm.py $<TARGET_FILE:make_archive>)
set_tests_properties(archive.h5wasm PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
# Started by whoever builds an archive file: the threads that compress and check.
set_tests_properties(archive.archive archive.images archive.part archive.reread
  PROPERTIES LABELS threads)
