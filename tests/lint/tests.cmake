# SPDX-License-Identifier: Apache-2.0
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(rule arrows style sealed)
    add_test(NAME lint.${rule} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint/${rule}.py ${PROJECT_SOURCE_DIR})
    set_tests_properties(lint.${rule} PROPERTIES LABELS lint)
  endforeach()
endif()
add_test(NAME lint.tidy COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/lint/tidy.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
set_tests_properties(lint.tidy PROPERTIES LABELS lint SKIP_RETURN_CODE 77 TIMEOUT 3600
  PROCESSORS 2) # it fills the machine by itself
