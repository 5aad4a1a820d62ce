# SPDX-License-Identifier: Apache-2.0
# What several tests are linked with is compiled once.
add_library(tests_archive_range OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/archive/range.c)
target_link_libraries(tests_archive_range PUBLIC triage_archive m)
target_include_directories(tests_archive_range INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/archive)
target_link_libraries(test_archive_archive PRIVATE tests_archive_range)
add_library(tests_archive_faulty OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/archive/faulty.c)
target_link_libraries(tests_archive_faulty PUBLIC triage_archive)
foreach(subject archive_copy part reread images)
  target_link_libraries(test_archive_${subject} PRIVATE tests_archive_faulty)
endforeach()
target_link_libraries(test_archive_items PRIVATE triage_referral)

add_executable(make_archive archive/make_archive.c)
set_target_properties(make_archive PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
target_link_libraries(make_archive PRIVATE tests_archive_range)
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
