#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh calls.sh "WRAPPED NAMES" OBJECTS...: fails when the product uses a call that reaches files, threads, time or chance
# and that the simulator does not replace: the crash tests would then test less than they say.
set -eu
command -v nm >/dev/null 2>&1 || {
  echo "SKIP: nm is not installed"
  exit 77
}
wrapped=" $1 "
shift
used=$(nm -u "$@" | sed -n 's/^ *U \([A-Za-z_0-9]*\).*/\1/p' | sort -u)
kinds='^_*(open|openat|creat|close|close_range|p?readv?|p?writev?|p(read|write)v2|l?seek|lseek|fsync|fdatasync|sync|syncfs'
kinds="$kinds|sync_file_range|renameat2?|rename|unlink|unlinkat|remove|link|linkat|symlink|symlinkat|readlink|readlinkat|mkdir|mkdirat"
kinds="$kinds|rmdir|f?truncate|fallocate|posix_fallocate|stat|fstat|lstat|fstatat|statx|f?access|faccessat|euidaccess|flock|lockf|fcntl|ioctl"
kinds="$kinds|f?opendir|fdopendir|readdir|readdir_r|rewinddir|seekdir|closedir|scandir|nftw|glob|dup[23]?|mmap|munmap|msync|sendfile|copy_file_range"
kinds="$kinds|f?chmod|f?chown|fopen|fdopen|freopen|tmpfile|mkstemp|mkdtemp|pthread_(create|join|detach|cancel|tryjoin.*|timedjoin.*|setname_np)"
kinds="$kinds|pthread_(mutex|cond|rwlock|spin|barrier)_.*|sem_.*|thrd_.*|mtx_.*|cnd_.*|sleep|usleep|nanosleep|clock_nanosleep|clock_gettime"
kinds="$kinds|gettimeofday|time|timespec_get|getrandom|getentropy|random|rand|arc4random.*|poll|ppoll|select|epoll_.*|fork|execv.*)"
kinds="$kinds(64)?(_2|_chk)?\$"
missing=0
for name in $(printf '%s\n' "$used" | grep -E "$kinds"); do
  case "$wrapped" in
  *" $name "*) ;;
  *)
    echo "not simulated: $name"
    missing=1
    ;;
  esac
done
[ $missing -eq 0 ] && echo "$(printf '%s\n' "$used" | grep -cE "$kinds") calls, all simulated"
exit $missing
