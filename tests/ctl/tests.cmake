# SPDX-License-Identifier: Apache-2.0
if(TARGET triagectl)
  add_dependencies(test_ctl_program triagectl)
  add_dependencies(test_ctl_declarations triagectl)
endif()
