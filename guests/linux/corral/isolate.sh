# One of several Linux domains on a machine: it has what it was given and keeps what it wrote.
#   corral.name=NAME  corral.cpus=N  corral.memory_mib=N (256)  corral.seconds=N (5)
. /corral/lib.sh

name=$(argument name unnamed)
cpus=$(argument cpus 1)
memory_mib=$(argument memory_mib 256)
mark_bytes=$((32 << 20))

fail() {
	echo "corral-isolate: name=$name FAILED: $*"
	exit 1
}

# The domain's name, over and over.
mark() {
	yes "$name" 2>/dev/null | head -c $mark_bytes
}

total_mib=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
[ "$(nproc)" -eq "$cpus" ] || fail "$(nproc) CPUs, not $cpus"
[ "$total_mib" -le "$memory_mib" ] || fail "$total_mib MiB, more than $memory_mib"
[ "$total_mib" -gt $((memory_mib * 3 / 4)) ] || fail "$total_mib MiB, much less than $memory_mib"

mark >/tmp/mark
echo "corral-isolate: name=$name cpus=$cpus memory=${total_mib}MiB marked"
sleep "$(argument seconds 5)"
mark | cmp - /tmp/mark || fail "its memory changed"
found=$(complaints)
[ -z "$found" ] || fail "$found"
echo "corral-isolate: name=$name ok"
