# Completion of supervise for bash: source this file, or install it as supervise in bash-completion's directory.

_supervise() {
    local word=${COMP_WORDS[COMP_CWORD]} i
    COMPREPLY=()

    # After -u DIR the rest is the service's command, and so it is from the first word on that is no option.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -u)
                case $((COMP_CWORD - i)) in
                    1) break ;;
                    2) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
                    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
                esac
                if ((COMP_CWORD - i > 1)); then
                    return
                fi
                ;;
            -p | -f | -F | -r | -t) ((i++)) ;;
            --timeout | --initial-check-delay | --heartbeat-file | --grace-period | --max-restarts | --backoff-factor | --backoff-max)
                ((i++))
                ;;
            -*) ;;
            *)
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                return
                ;;
        esac
    done

    case ${COMP_WORDS[COMP_CWORD - 1]} in
        -p | -u)
            compopt -o dirnames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            return
            ;;
        -F | -r | --heartbeat-file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        -f)
            mapfile -t COMPREPLY < <(compgen -c -- "$word")
            return
            ;;
        -t | --timeout | --initial-check-delay | --grace-period | --max-restarts | --backoff-factor | --backoff-max) return ;;
    esac
    if [[ $word != -* && -n $word ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W '-p -u -f -F -r -t -n --foreground --check -v --version -h --help --enable-heartbeat
        --timeout --initial-check-delay --heartbeat-file --grace-period --max-restarts --backoff-factor --backoff-max' -- "$word")
}

complete -F _supervise supervise supervisor
