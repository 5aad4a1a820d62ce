# SPDX-License-Identifier: Apache-2.0
# feeds.command runs the program itself.
add_dependencies(test_feeds_command triage-feed)
