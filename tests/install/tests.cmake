# SPDX-License-Identifier: Apache-2.0
set(install_flags)
if(NOT TRIAGED_SANITIZE STREQUAL "")
  set(install_flags -fsanitize=${TRIAGED_SANITIZE})
endif()
if(TRIAGED_COVERAGE)
  list(APPEND install_flags --coverage)
endif()
add_test(NAME install.everything COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/install/install.sh ${PROJECT_SOURCE_DIR}
  ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER} ${install_flags})
add_test(NAME install.pages COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/install/pages.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
set_tests_properties(install.everything install.pages PROPERTIES TIMEOUT 900)
set_tests_properties(install.pages PROPERTIES SKIP_RETURN_CODE 77)
