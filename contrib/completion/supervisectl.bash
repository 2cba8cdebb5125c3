# Completion of supervisectl for bash: source this file, or install it as supervisectl in bash-completion's directory.
# Made by `supervisectl help --bash`.

_supervisectl() {
    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} command='' root=() options='' words='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -d | --root) root=(-d "${COMP_WORDS[++i]}") ;;
            -F | --conf | -t | --timeout | -n | --lines | --rolling | --warn | --crit) ((i++)) ;;
            -*) ;;
            *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done
    case $last in
        -d | --root | -F | --conf)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        -t | --timeout | -n | --lines | --rolling | --warn | --crit) return ;;
    esac
    case $command in
        '')
            words='status start stop restart once kill signal pause cont alarm reload upgrade exit pid tail wait check clear rotate config metrics help'
            options='-d --root -F --conf -h --help -v --version'
            ;;
        status)
            options='-d --root -F --conf -h --help -v --version -j --json -w --watch -q --quiet'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        start)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout --rolling'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        stop)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        restart)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout --rolling'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        once)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        kill)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        signal)
            options='-d --root -F --conf -h --help -v --version'
            if [[ $last = signal ]]; then words='HUP TERM INT QUIT KILL ALRM USR1 USR2 WINCH STOP CONT'; fi
            [[ -n $words ]] || words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        pause)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        cont)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        alarm)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            if [[ $last = alarm ]]; then words='on off'; fi
            [[ -n $words ]] || words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        reload)
            options='-d --root -F --conf -h --help -v --version'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        upgrade)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        exit)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        pid)
            options='-d --root -F --conf -h --help -v --version'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        tail)
            options='-d --root -F --conf -h --help -v --version -f --follow -n --lines'
            words='stdout stderr log'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        wait)
            options='-d --root -F --conf -h --help -v --version -t --timeout'
            if [[ $last = wait ]]; then words='up down ready change'; fi
            [[ -n $words ]] || words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        check)
            options='-d --root -F --conf -h --help -v --version --warn --crit'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        clear)
            options='-d --root -F --conf -h --help -v --version'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        rotate)
            options='-d --root -F --conf -h --help -v --version'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        config)
            options='-d --root -F --conf -h --help -v --version'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        metrics)
            options='-d --root -F --conf -h --help -v --version'
            words="$words all $(supervisectl "${root[@]}" status -q 2>/dev/null)"
            ;;
        help)
            options='-d --root -F --conf -h --help -v --version'
            words='status start stop restart once kill signal pause cont alarm reload upgrade exit pid tail wait check clear rotate config metrics help'
            ;;
    esac
    if [[ $word = -* ]]; then words=$options; fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _supervisectl supervisectl
