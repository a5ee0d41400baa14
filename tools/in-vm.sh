#!/bin/sh
# Runs a command in a virtual machine with another kernel, on this machine's files: for tests of what the kernel
# here lacks. STRATA_TEST_XFS is a file system with quotas of projects there; cgroups are those of version 1, with
# STRATA_VM_CGROUPS=2 those of version 2 alone.
#   apt-get install qemu-system-x86 cpio kmod busybox-static xfsprogs
#   apt-get download linux-image-6.1.0-57-amd64 && dpkg-deb -x linux-image-*.deb KERNEL
#   tools/in-vm.sh KERNEL node --test test/conformance/mesos-agent-xfs.test.ts
# Without /dev/kvm everything takes some ten times as long (STRATA_VM_CPU="-accel kvm -cpu host" uses it).
set -eu
kernel=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
release=$(ls "$kernel/lib/modules")
depmod -b "$kernel" "$release"
mkdir -p "$work/initrd/bin" "$work/initrd/modules" "$work/initrd/host"
cp "$(command -v busybox)" "$work/initrd/bin/busybox"
at=100
for name in virtio_pci crc32c_generic 9p 9pnet_virtio xfs loop overlay; do
  modprobe -d "$kernel" -S "$release" --show-depends "$name"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
  cp "$module" "$work/initrd/modules/$at-${module##*/}"
  at=$((at + 1))
done
cat >"$work/initrd/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc && $b mount -t proc proc /proc
for module in /modules/*; do $b insmod "$module"; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=512000 host /host
$b mount -t tmpfs tmpfs /host/mnt
exec $b switch_root /host "$start"
INIT
cat >"$work/start" <<'START'
#!/bin/sh
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts && mount -t tmpfs shm /dev/shm && mount -t devpts pts /dev/pts
mount -t tmpfs run /run && ip link set lo up
if [ "$cgroups" = 2 ]; then mount -t cgroup2 cgroup /sys/fs/cgroup; else mount -t tmpfs cgroup /sys/fs/cgroup; fi
[ "$cgroups" = 2 ] || for name in cpu cpuacct cpuset memory devices freezer blkio pids hugetlb net_cls perf_event; do
  mkdir "/sys/fs/cgroup/$name"
  mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"
done
mkdir /mnt/tmp /mnt/xfs
truncate -s 900M /mnt/disk && mkfs.xfs -q /mnt/disk && mount -o loop,prjquota /mnt/disk /mnt/xfs
export TMPDIR=/mnt/tmp STRATA_TEST_XFS=/mnt/xfs HOME=/root
START
sed -i "s|\$cgroups|${STRATA_VM_CGROUPS:-1}|" "$work/start"
{
  printf 'export PATH=%s\ncd %s || exit\n' "$PATH" "$PWD"
  printf "'%s' " "$@"
  printf '\necho "ended with $?"\necho o >/proc/sysrq-trigger\nsleep 60\n'
} >>"$work/start"
sed -i "s|\$start|$work/start|" "$work/initrd/init"
chmod +x "$work/start" "$work/initrd/init"
ln -s busybox "$work/initrd/bin/sh"
(cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip) >"$work/initrd.gz"
# shellcheck disable=SC2086 # Several words.
qemu-system-x86_64 -nographic -no-reboot ${STRATA_VM_CPU:--accel tcg,thread=multi -cpu max} \
  -m 4G -smp 2 -kernel "$kernel/boot/vmlinuz-$release" -initrd "$work/initrd.gz" \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off' \
  -fsdev local,id=host,path=/,security_model=none,multidevs=remap \
  -device virtio-9p-pci,fsdev=host,mount_tag=host </dev/null
