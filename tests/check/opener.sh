#!/bin/sh
# What is named outside the status directory is opened, listed and judged by sys/trusted alone. Here is every other call that
# goes by a path, with the reason why it may; one that is new has to be given a reason, or to go through the opener.
set -eu
. "$(dirname "$0")/common"
cd "$TOP/src"

# FILE, what the line has in it, and why nobody can lead it astray.
allowed() {
    cat <<'LIST'
supervise/daemon.cc	kWorkingDirectory, "/dev/null"	a name of the system
supervise/output.cc	stat_following(path.c_str())	/proc/PID/fd/N, compared with what is ours by device and inode
supervise/output.cc	open(sys::kWorkingDirectory, path.c_str(), mode, 0)	the same; what was opened is compared again
supervise/output.cc	open(sys::OpenMode::kReadFollowing)	the same
supervise/output.cc	is_entry(system_, sys::kWorkingDirectory	compares with what is open, and opens nothing
supervise/log_writer.cc	is_entry(system_, sys::kWorkingDirectory	the same
supervise/service.cc	stat_following(	says beforehand what the opener would say, and opens nothing
supervise/service.cc	stat_at(sys::kWorkingDirectory, own_path(command)	chooses the words of a message
supervise/check.cc	stat_following(path.c_str())	whether there is such a program or directory, and opens nothing
supervise/alarm.cc	stat_at(sys::kWorkingDirectory, kSendmail)	chooses between two programs, each judged before it is run
supervise/main.cc	stat_at(sys::kWorkingDirectory, identity.conf	whether there is one; read_file judges it
ctl/launch.cc	stat_following(path.c_str())	looks for a program or a file, which is judged before it is used
ctl/services.cc	stat_at(sys::kWorkingDirectory	looks what is listed, and opens nothing
ctl/services.cc	stat_following(path.c_str())	the owner's name, for a message
sys/terminal.cc	::open("/dev/tty"	a name of the system
sys/client.cc	open("/dev/null"	a name of the system
sys/client.cc	execvp(words[0]	our own supervise, the editor's or a run file's, judged by ctl/launch
sys/client.cc	chdir(directory.c_str())	where the supervise that is asked runs, by the word of the kernel, or what ctl/launch has judged
sys/process.cc	::open("/dev/null"	a name of the system
sys/process.cc	::open("/dev/tty"	a name of the system
sys/spawn.cc	execvp(request.program	the service, with its rights; find_program() has judged what is run with ours
sys/spawn.cc	chdir(request.directory)	with the service's rights
LIST
}

# The opener, the seam below it, and the names of the kernel in the two platforms.
exempt='^sys/(trusted\.(cc|h)|system\.h|real_system\.(cc|h)|linux\.cc|portable\.cc|platform\.h):'
grep -rnE 'OpenMode::k[A-Za-z]*Following|kWorkingDirectory|stat_following\(|\bopen\([^)]*O_[A-Z]|(^|[^_A-Za-z.>])(openat|creat|fopen|freopen|opendir|scandir|execv|execve|execvp|execl|execlp|execvpe|posix_spawnp?|popen|chdir|chroot)\(' \
    --include='*.cc' --include='*.h' . | sed 's|^\./||' | grep -vE "$exempt" | grep -vE ':[0-9]+: *//' >"$work/calls" || :

allowed >"$work/allowed"
tab=$(printf '\t')
: >"$work/used"
while IFS= read -r call; do
    file=${call%%:*}
    found=
    while IFS=$tab read -r where what why; do
        [ "$file" = "$where" ] && [ -n "$why" ] || continue
        case $call in *"$what"*) found=1; printf '%s\t%s\n' "$where" "$what" >>"$work/used" ;; esac
    done <"$work/allowed"
    [ -n "$found" ] || fail "src/$call: goes by a path and not through sys/trusted"
done <"$work/calls"
while IFS=$tab read -r where what why; do
    grep -qxF "$where$tab$what" "$work/used" || fail "$where, \`$what\`: is on the list, and nowhere in the source"
done <"$work/allowed"

exit "$broken"
