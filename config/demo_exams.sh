#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Officers of the demo: open the first COUNT queued items that the simulator knows, and record what its ground truth says is
# inside; one line tells what was found. usage: demo_exams.sh TRIAGECTL CONFIG LABELS.csv COUNT
set -eu
triagectl=$1
config=$2
labels=$3
count=$4
ctl() { "$triagectl" --config "$config" "$@"; }

# item and label of what is queued, then the label's truth: violation and what was hidden
ctl queue --json --limit 1000 | awk -F'"' '/"item":/ {item = $4} /"label":/ {print item "," $4}' |
  awk -F, -v count="$count" '
    NR == FNR { if (FNR > 1) { violation[$4] = $7; hidden[$4] = $8; mass[$4] = $10 } next }
    ($2 in violation) && done < count { print $1 "\t" violation[$2] "\t" (hidden[$2] == "" ? "-" : hidden[$2]) "\t" mass[$2]; done++ }
  ' "$labels" - |
  while IFS="$(printf '\t')" read -r item violation hidden mass; do
    ctl claim "$item" --actor "officer demo" >/dev/null
    if [ "$violation" = 1 ] && [ "$hidden" != - ]; then
      found=$hidden
      set -- found --class "$hidden" --quantity "$mass" --unit kg
    elif [ "$violation" = 1 ]; then
      found=misdeclared
      set -- found --class misdeclared
    else
      found=-
      set -- nothing_found
    fi
    ctl outcome "$item" --actor "officer demo" --level full --result "$@" >/dev/null
    echo "$found"
  done | awk '
    { opened++ }
    $0 != "-" { finds++; what[$0]++ }
    END {
      if (!opened) { print "no queued item is known to the simulator"; exit }
      printf "%d opened, something found in %d", opened, finds
      separator = ": "
      for (name in what) { printf "%s%s %d", separator, name, what[name]; separator = ", " }
      print ""
    }'
