#!/bin/sh
# Runs a command on a kernel of its own, as a process here, on this machine's files, which it cannot change: for tests
# of cgroups, which are of version 2 there and nothing else, and of what is for a whole machine (date -s).
#   apt-get install busybox-static gcc && apt-get download user-mode-linux && dpkg-deb -x user-mode-linux_*.deb UML
#   tools/in-uml.sh UML node --test src/env/node/process-cgroup.test.ts
# User Mode Linux needs no /dev/kvm and takes some ten times as long. It has one processor and the controllers cpu, io,
# memory and pids. TMPDIR is a disk of STRATA_UML_DISK (default 2G); what is written to build/ is forgotten.
set -eu
uml=$(realpath "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=$(echo "$uml"/usr/lib/uml/modules/*)
truncate -s "${STRATA_UML_DISK:-2G}" "$work/disk"
mkdir -p build
# On processors with more registers than this kernel knows (AMX) it cannot set those of its processes: it gives only
# the first ones, and the kernel here takes all or none.
cat >"$work/registers.c" <<'REGISTERS'
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
enum { PEEK_FIRST = 1, PEEK_LAST = 3, GETREGSET = 0x4204, SETREGSET = 0x4205, XSTATE = 0x202, FEATURES_AT = 512 };
static char all[1 << 16];
static size_t size;
long ptrace(int request, ...) {
  va_list rest;
  va_start(rest, request);
  long pid = va_arg(rest, int);
  void *addr = va_arg(rest, void *), *data = va_arg(rest, void *);
  va_end(rest);
  struct iovec *given = data, whole = {all, sizeof all};
  if (request == SETREGSET && (long)addr == XSTATE) {
    if (size == 0 && syscall(SYS_ptrace, GETREGSET, pid, addr, &whole) == 0) size = whole.iov_len;
    if (given->iov_len < size) {
      memset(all, 0, size);
      memcpy(all, given->iov_base, given->iov_len);
      *(unsigned long *)(all + FEATURES_AT) &= ~(3UL << 17);
      whole.iov_len = size;
      return syscall(SYS_ptrace, request, pid, addr, &whole);
    }
  }
  if (request < PEEK_FIRST || request > PEEK_LAST) return syscall(SYS_ptrace, request, pid, addr, data);
  long word = 0, answer = syscall(SYS_ptrace, request, pid, addr, &word);
  if (answer < 0) return answer;
  errno = 0;
  return word;
}
REGISTERS
gcc -O1 -shared -fPIC -fno-stack-protector -o "$work/registers.so" "$work/registers.c"
cat >"$work/start" <<START
#!/bin/sh
mount -t proc proc /proc && mount -t sysfs sys /sys
mkdir -p /dev/shm /dev/pts && mount -t tmpfs shm /dev/shm && mount -t devpts pts /dev/pts
mount -t tmpfs run /run && ip link set lo up && mount -t cgroup2 cgroup /sys/fs/cgroup
for name in fs/overlayfs/overlay drivers/block/loop drivers/net/veth; do insmod $modules/kernel/\$name.ko; done
mount -t tmpfs tmpfs /mnt && mkdir /mnt/disk
mkfs.ext4 -qF /dev/ubda >/dev/null && mount /dev/ubda /mnt/disk
mkdir /mnt/disk/tmp /mnt/disk/build /mnt/disk/moved
mount -t overlay overlay -o lowerdir=$PWD/build,upperdir=/mnt/disk/build,workdir=/mnt/disk/moved $PWD/build
export PATH=$PATH TMPDIR=/mnt/disk/tmp HOME=/root
cd $PWD
START
{
  printf "'%s' " "$@"
  printf '\necho "ended with $?"\n%s poweroff -f\n' "$(command -v busybox)"
} >>"$work/start"
chmod +x "$work/start"
# Its memory is a file, best one that is no disk's.
TMPDIR=/dev/shm LD_PRELOAD="$work/registers.so" "$uml/usr/bin/linux.uml" mem=3G quiet con=null con0=null,fd:1 \
  root=/dev/root rootfstype=hostfs rootflags=/ ro init="$work/start" ubd0="$work/disk" </dev/null
