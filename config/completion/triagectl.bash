# SPDX-License-Identifier: Apache-2.0
# bash completion of triagectl(1)

_triagectl_words() {
    case $1 in
        '') echo 'queue show claim release outcome correct report health watch log reveal redact receipt archive hold operation replay model keys verify-day refer policy help' ;;
        log) echo 'cat checkpoint proof cosign prune publish close' ;;
        archive) echo 'list verify rebuild export restore retention seal' ;;
        hold) echo 'add remove list' ;;
        operation) echo 'register close list' ;;
        policy) echo 'load simulate' ;;
        model) echo 'train score evaluate retrain drift list install shadow promote withdraw show' ;;
        'model train') echo 'appearance declarations emptiness history' ;;
        keys) echo 'init rotate publisher subscriber viewer list' ;;
    esac
}

_triagectl_options() {
    case $1 in
        queue) echo '--mode --site --limit --reasons --all --watch' ;;
        show) echo '--png --region --size' ;;
        claim) echo '--version --receipt' ;;
        release) echo '--code --codes --version --receipt' ;;
        outcome) echo '--level --result --class --quantity --unit --region --second --version --receipt' ;;
        correct) echo '--code --codes --level --result --class --quantity --unit --region --version --receipt' ;;
        report) echo '--from --to --metrics' ;;
        watch) echo '--key --daemon-key --topic --count' ;;
        'log checkpoint') echo '--qr' ;;
        'log proof') echo '--from' ;;
        'log cosign') echo '--size' ;;
        'log prune') echo '--below --reason --dry-run --yes' ;;
        'archive rebuild') echo '--out' ;;
        replay) echo '--archive --models --items --rows --inputs-suffice' ;;
        'archive export') echo '--out --marks --deidentified --threshold --hdf5 --images --key' ;;
        'archive restore') echo '--from' ;;
        'archive retention') echo '--list' ;;
        'hold add' | 'hold remove') echo '--reason --all' ;;
        verify-day) echo '--log --vkey' ;;
        refer | 'policy load') echo '--reason' ;;
        'model install') echo '--shadow --reason' ;;
        'model shadow') echo '--policy' ;;
        'model promote') echo '--policy --reason' ;;
        'model withdraw') echo '--reason' ;;
        'policy simulate') echo '--policy --from --to' ;;
        'operation register') echo '--mode --site --lane --from --to --hypothesis --metric --comparator --stop-rule' ;;
        'operation close') echo '--reason' ;;
        reveal) echo '--entry --names --purpose --out' ;;
        redact) echo '--entry --names --legal-basis --yes --status' ;;
        'log close' | 'keys rotate') echo '--reason' ;;
        receipt) echo '--item --out --qr --bare --public' ;;
        'log cat') echo '--from --to --type --public' ;;
        'model train appearance')
            echo '--images --marks --groups --epochs --threads --scanner-type --out --list --skip-list --every --offset --seed --bank --dimensions --height --project --finder' ;;
        'model train consistency')
            echo '--images --declarations --wedge --scanner-type --out --list --skip-list --every --offset --height --seed' ;;
        'model train emptiness') echo '--images --labels --out --seed --png' ;;
        'model train history') echo '--declarations --mapping --mode --out --seed' ;;
        'model train declarations')
            echo '--declarations --archive --validate --keep-validate-out --leave-out --lines --newest --out --mapping --mode --seed' ;;
        'model score')
            echo '--model --declarations --out --reasons --details --lines --mapping --mode --images --image-scores --list --skip-list --every --offset' ;;
        'model evaluate')
            echo '--model --declarations --png --lines --mapping --mode --images --labels --marks --folds --bank --height --groups --list --picture --epochs --seed --threads --project --times --false-referrals --photons --svg --out --skip-list --every --offset' ;;
        'model retrain') echo '--dry-run --install --days --newest --out --seed' ;;
        'model drift') echo '--days --reference-days --reference --declarations --mapping --mode' ;;
        'keys publisher' | 'keys subscriber') echo '--keys --public' ;;
        'keys viewer') echo '--keys --purpose' ;;
    esac
}

# The global options given so far, so that labels and codes come from the same store.
_triagectl_ask() {
    local i
    local -a globals=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --dir | --config) globals+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
        esac
    done
    triagectl "${globals[@]}" "$@" 2>/dev/null
}

_triagectl_labels() {
    _triagectl_ask queue --json --limit 500 | sed -n 's/^ *"label": "\([A-Za-z0-9.-]*\)",*$/\1/p'
}

_triagectl() {
    local current=${COMP_WORDS[COMP_CWORD]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --dir | --config | --endpoint | --actor) ((i++)) ;;
            -*) ;;
            *) [[ " $(_triagectl_words "$command") " == *" $word "* ]] && command="${command:+$command }$word" ;;
        esac
    done
    case $previous in
        --dir | --log | --images | --out | --archive | --models | --metrics | --public | --keys)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return ;;
        --config | --png | --qr | --receipt | --key | --daemon-key | --list | --skip-list | --declarations | --mapping | --validate | --model | --marks | --groups | --picture | --reference | --policy)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return ;;
        --item) word=$(_triagectl_labels) ;;
        --mode) word='truck passenger rail sea air mail' ;;
        --level) word='document nii canine tailgate partial full' ;;
        --result) word='nothing_found found partial abandoned returned_to_sender' ;;
        --metric) word='hit_rate exam_rate find_rate' ;;
        --comparator) word='before others random' ;;
        --code) word=$(_triagectl_ask "${command%% *}" --codes --json | sed -n 's/^ *"code": "\([a-z_]*\)",*$/\1/p') ;;
        --type)
            word='log.open log.close key.rotate config.change model.change scan.received declaration.received record.refused score
                referral.decision officer.action outcome access blob.discard archive.seal redact wal.recovered time.tick archive.copied hold operation
                witness.receipt draw.commit draw.reveal' ;;
        *)
            if [[ $current == -* ]]; then
                word="$(_triagectl_options "$command") --dir --config --endpoint --actor --json --help"
            else
                case $command in
                    show | refer | claim | release | outcome | correct) word=$(_triagectl_labels) ;;
                    replay)
                        mapfile -t COMPREPLY < <(compgen -f -- "$current"; compgen -W "$(_triagectl_labels)" -- "$current")
                        return ;;
                    'model install' | 'model show' | 'log proof' | 'log cosign' | 'keys init' | 'keys list')
                        mapfile -t COMPREPLY < <(compgen -f -- "$current")
                        return ;;
                    *) word=$(_triagectl_words "$command") ;;
                esac
            fi ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
}

complete -F _triagectl triagectl
