# SPDX-License-Identifier: Apache-2.0
# bash completion of triage-verify(1)

_triage_verify() {
    local current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    if [[ ${COMP_WORDS[1]} == receipt ]]; then
        mapfile -t COMPREPLY < <([[ $current == -* ]] && compgen -W '--vkey --entry --json --help' -- "$current" ||
            compgen -f -- "$current")
    elif [[ ${COMP_WORDS[1]} == disclosure ]]; then
        mapfile -t COMPREPLY < <([[ $current == -* ]] && compgen -W '--log --entry --vkey --json --help' -- "$current" ||
            compgen -f -- "$current")
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --vkey || ${COMP_WORDS[COMP_CWORD - 1]} == --against ||
        ${COMP_WORDS[COMP_CWORD - 1]} == --quorum ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--vkey --against --quorum --json --quiet --version --help' -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -d -- "$current"; compgen -W 'receipt disclosure' -- "$current")
    fi
}

complete -o filenames -F _triage_verify triage-verify
