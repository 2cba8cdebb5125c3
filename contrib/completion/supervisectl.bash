# Completion of supervisectl for bash: source this file, or install it as supervisectl in bash-completion's directory.
# Made by `supervisectl help bash`.

_supervisectl() {
    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} command='' root=() options='' words='' names='' name i
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
            names=yes
            ;;
        start)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout --rolling'
            names=yes
            ;;
        stop)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        restart)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout --rolling'
            names=yes
            ;;
        once)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        kill)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        signal)
            options='-d --root -F --conf -h --help -v --version'
            if [[ $last = signal ]]; then words='HUP TERM INT QUIT KILL ALRM USR1 USR2 WINCH STOP CONT'; fi
            [[ -n $words ]] || names=yes
            ;;
        pause)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        cont)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        alarm)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            if [[ $last = alarm ]]; then words='on off'; fi
            [[ -n $words ]] || names=yes
            ;;
        reload)
            options='-d --root -F --conf -h --help -v --version'
            names=yes
            ;;
        upgrade)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        exit)
            options='-d --root -F --conf -h --help -v --version --no-wait -t --timeout'
            names=yes
            ;;
        pid)
            options='-d --root -F --conf -h --help -v --version'
            names=yes
            ;;
        tail)
            options='-d --root -F --conf -h --help -v --version -f --follow -n --lines'
            words='stdout stderr log'
            names=yes
            ;;
        wait)
            options='-d --root -F --conf -h --help -v --version -t --timeout'
            if [[ $last = wait ]]; then words='up down ready change'; fi
            [[ -n $words ]] || names=yes
            ;;
        check)
            options='-d --root -F --conf -h --help -v --version --warn --crit'
            names=yes
            ;;
        clear)
            options='-d --root -F --conf -h --help -v --version'
            names=yes
            ;;
        rotate)
            options='-d --root -F --conf -h --help -v --version'
            names=yes
            ;;
        config)
            options='-d --root -F --conf -h --help -v --version'
            names=yes
            ;;
        metrics)
            options='-d --root -F --conf -h --help -v --version'
            names=yes
            ;;
        help)
            options='-d --root -F --conf -h --help -v --version'
            words='status start stop restart once kill signal pause cont alarm reload upgrade exit pid tail wait check clear rotate config metrics help'
            ;;
    esac
    if [[ $word = -* ]]; then words=$options names=''; fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    [[ -n $names ]] || return 0
    # A name may have anything in it, and is never expanded.
    while IFS= read -r name; do
        [[ $name = "$word"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done < <(printf 'all\n'; supervisectl "${root[@]}" status -q 2>/dev/null)
    if [[ $word = */* ]]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -d -- "$word")
    fi
    return 0
}

complete -F _supervisectl supervisectl
