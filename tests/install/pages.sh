#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Manual pages and completions: pages are sound and name each other, every option that --help tells stands in both, and the
# completions complete. usage: pages.sh SOURCE_DIR BUILD_DIR. (triagectl's options: tests/ctl/test_program.c.)
set -eu
source=$1
bin=$2/bin
faults=0
fault() {
  echo "$*" >&2
  faults=$((faults + 1))
}

if ! command -v mandoc >/dev/null 2>&1; then
  echo "SKIP: mandoc is not installed"
  exit 77
fi
for page in "$source"/config/man/*; do
  mandoc -T lint -W warning "$page" || fault "$page: mandoc complains"
  for other in "$source"/config/man/*; do
    name=$(basename "$other")
    [ "$page" = "$other" ] || grep -q "^\.Xr ${name%.*} ${name##*.}" "$page" ||
      fault "$page: does not mention ${name%.*}"
  done
done

options_of() { # command...
  "$@" --help 2>&1 | grep -o -- '--[a-z][a-z-]*' | sort -u
}
check_options() { # program, command...
  program=$1
  page=$(find "$source/config/man" -name "$program.*")
  completion=$source/config/completion/$program.bash
  shift
  count=0
  for option in $(options_of "$@"); do
    count=$((count + 1))
    [ "$option" = --usage ] || [ "$option" = --help ] || grep -q -- "Fl -${option#--}\>" "$page" ||
      fault "$page: $option of $* is missing"
    [ ! -f "$completion" ] || grep -q -- "$option\>" "$completion" || fault "$completion: $option of $* is missing"
  done
  [ "$count" -gt 3 ] || fault "$*: --help names hardly an option"
}
check_options triage-verify "$bin/triage-verify"
check_options triage-witness "$bin/triage-witness"
check_options triaged "$bin/triaged"
for subcommand in images declarations sim; do
  check_options triage-feed "$bin/triage-feed" "$subcommand"
done

complete_words() { # program, then the words typed so far; prints what could come next
  bash -c '
    source "$1/config/completion/$2.bash"
    COMP_WORDS=("${@:2}")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    $(complete -p "$2" | sed "s/.*-F \([^ ]*\).*/\1/")
    printf "%s\n" "${COMPREPLY[@]}"
  ' complete "$source" "$@"
}
expect_completion() { # expected, then the words
  wanted=$1
  shift
  complete_words "$@" | grep -qx -- "$wanted" || fault "$*: completion does not offer $wanted"
}
expect_completion declarations triage-feed d
expect_completion --history-factor triage-feed sim --hist
expect_completion --mapping triage-feed declarations --m
expect_completion passenger triage-feed sim --mode pa
expect_completion --vkey triage-verify --v
expect_completion --checkpoint triage-witness cosign --ch
expect_completion queue triagectl q
expect_completion --reasons triagectl queue --r
if complete_words triage-feed images --hist | grep -q history; then
  fault "triage-feed images offers an option of sim"
fi
[ "$faults" -eq 0 ] || exit 1
echo "pages and completions are sound"
