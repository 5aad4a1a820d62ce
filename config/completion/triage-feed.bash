# SPDX-License-Identifier: Apache-2.0
# bash completion of triage-feed(1)

_triage_feed_options() {
    echo '--endpoint --key --daemon-key --spool --stream --site --lane --mode --scanner --scanner-type --follow --limit
        --rate --timeout --dry-run --json --quiet --help --usage'
    case $1 in
        images) echo '--list --skip-list --every --offset --pixels-max' ;;
        declarations) echo '--mapping --send-invalid' ;;
        sim)
            echo '--seed --count --first --modes --contraband-rate --misdeclare-rate --oddity-rate --clean
                --declarations-per-scan --scans-only --declarations-only --scale --mail-scale --dead-rows --start --interval
                --labels --truth --history --history-factor --write --mixed-rate --parcels-share --cargo-density --bricks-kg --threats --declared --wedge' ;;
    esac
}

_triage_feed() {
    local current=${COMP_WORDS[COMP_CWORD]} subcommand=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'images declarations sim --help' -- "$current")
        return
    fi
    case ${COMP_WORDS[COMP_CWORD - 1]} in
        --mode) mapfile -t COMPREPLY < <(compgen -W 'truck passenger rail sea air mail' -- "$current") ;;
        --start) mapfile -t COMPREPLY < <(compgen -W 'now' -- "$current") ;;
        --spool | --write) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        --key | --daemon-key | --list | --skip-list | --mapping | --labels | --truth | --history)
            mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        --endpoint | --stream | --site | --lane | --scanner | --scanner-type | --limit | --rate | --timeout | --every | \
            --offset | --pixels-max | --seed | --count | --first | --modes | --contraband-rate | --misdeclare-rate | \
            --oddity-rate | --declarations-per-scan | --scale | --mail-scale | --dead-rows | --interval | --history-factor | --mixed-rate | --parcels-share | --cargo-density | --bricks-kg) ;;
        *)
            if [[ $current == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_triage_feed_options "$subcommand")" -- "$current")
            elif [[ $subcommand == images ]]; then
                mapfile -t COMPREPLY < <(compgen -d -- "$current")
            elif [[ $subcommand == declarations ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
            fi ;;
    esac
}

complete -o filenames -F _triage_feed triage-feed
