# SPDX-License-Identifier: Apache-2.0
# bash completion of triage-witness(1)

_triage_witness() {
    local current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    case ${COMP_WORDS[COMP_CWORD - 1]} in
        --logs | --checkpoint | --proof)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return ;;
        --log)
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            return ;;
        --name | --listen) return ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--name --listen --logs --checkpoint --log --proof --version --help' -- "$current")
    elif ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'keygen serve cosign vkey' -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
    fi
}

complete -o filenames -F _triage_witness triage-witness
