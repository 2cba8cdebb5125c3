#!/bin/sh
# The arrows of the architecture: core <- sys <- supervise, and core <- sys <- ctl. core knows nothing of POSIX; only sys
# includes the system's headers.
set -eu
. "$(dirname "$0")/common"
cd "$TOP/src"

# allowed LAYER PREFIX...: every quoted include of the layer begins with one of the prefixes.
allowed() {
    layer=$1
    shift
    [ -d "$layer" ] || return 0
    pattern=$(printf '%s/|' "$@")
    grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$layer" | grep -vE "\"(${pattern%|})" >"$work/arrows" || :
    while IFS= read -r line; do fail "src/$line: $layer may include $* only"; done <"$work/arrows"
}
allowed core core
allowed sys core sys
allowed supervise core sys supervise
allowed ctl core sys ctl

# A header of the standard library has no suffix and no folder; <csignal> and <cerrno> are such. What has one is the
# system's, and what the standard library has for the system's purposes stays out of the core as well.
grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' . | sed 's|^\./||' >"$work/system"
grep -v '^sys/' "$work/system" | grep -E '<[^>]*[./][^>]*>' >"$work/posix" || :
while IFS= read -r line; do fail "src/$line: only sys includes headers of the system"; done <"$work/posix"
grep '^core/' "$work/system" | grep -E '<(filesystem|thread|mutex|fstream|iostream|cstdio|ctime|locale)>' >"$work/impure" || :
while IFS= read -r line; do fail "src/$line: core reads no clock and no file, and starts nothing"; done <"$work/impure"
grep -E '<(iostream|fstream|sstream|locale|regex)>' "$work/system" >"$work/heavy" || :
while IFS= read -r line; do fail "src/$line: neither iostream nor locale belongs in these programs"; done <"$work/heavy"

# What Linux alone has is in sys/linux.cc, and neither a name nor a file of it anywhere else; what a comment says does no harm.
linux_headers='<(linux/.*|asm/.*|malloc\.h|sys/(prctl|inotify|fanotify|syscall|epoll|eventfd|signalfd|timerfd|sendfile|personality|auxv|mman|random|vfs|capability)\.h)>'
linux_names='splice|tee|vmsplice|copy_file_range|sendfile|renameat2|RENAME_EXCHANGE|pidfd_[a-z_]+|SYS_[a-z_0-9]+|syscall|prctl|PR_[A-Z_]+|inotify_[a-z_0-9]+|IN_[A-Z_]+|epoll_[a-z_0-9]+|eventfd|signalfd|timerfd_[a-z]+|memfd_create|close_range|malloc_trim|mallopt|madvise|MADV_[A-Z]+|personality|getauxval|gettid|unshare|setns|O_PATH|O_TMPFILE|F_NOTIFY|DN_[A-Z]+|F_SETPIPE_SZ|F_GETPIPE_SZ|F_SETSIG|F_SETLEASE|SO_PASSCRED|SO_PEERCRED|SCM_CREDENTIALS|ucred|SI_KERNEL|getrandom|fgetpwent|__linux__'
grep -rn . --include='*.cc' --include='*.h' . | sed -e 's|^\./||' -e 's|//[^"]*$||' | grep -v '^sys/linux\.cc:' >"$work/code"
{
    grep -E "include *$linux_headers" "$work/code" || :
    grep -E "(^|[^A-Za-z0-9_:.>])(::)?($linux_names)([^A-Za-z0-9_]|\$)" "$work/code" || :
    grep -E '"[^"]*/(proc|sys)/' "$work/code" | grep -vE '#include "' || :
} >"$work/linux"
while IFS= read -r line; do fail "src/$line: only sys/linux.cc may use what Linux alone has"; done <"$work/linux"

# There is no run under the thread sanitizer, because there are no threads.
grep -rnE '<(thread|future|mutex|shared_mutex|condition_variable|semaphore|latch|barrier|stop_token|pthread\.h|threads\.h)>|pthread_|std::async|CLONE_THREAD' . >"$work/threads" || :
while IFS= read -r line; do fail "src/${line#./}: no threads: what only one does needs no lock, and a fork is safe at any time"; done <"$work/threads"

exit "$broken"
