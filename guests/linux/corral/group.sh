# What a member of a group has besides: a watchdog, which is its heartbeat, and the region that the members share.
#   corral.watchdog=MS (25): how often the watchdog is fed
. /corral/lib.sh

# has COMPATIBLE: the device tree has such a node.
has() {
	grep -qsF "$1" /proc/device-tree/*/compatible
}

# wait_for FILE: some drivers look for their devices in the background.
wait_for() {
	local tries=0
	until [ -e "$1" ] || [ $tries -eq 100 ]; do
		tries=$((tries + 1))
		usleep 20000
	done
	[ -e "$1" ] || echo "corral-group: there is no $1"
}

# A kernel of the user's own may have the drivers built in, or not at all.
load() {
	modprobe -q "$1" || true
}

if has pmem-region; then
	load of_pmem
	load nd_pmem
	wait_for /dev/pmem0
fi
if has arm,sbsa-gwdt; then
	load sbsa_gwdt
	wait_for /dev/watchdog
	# A kernel that is broken says so at once, by a reset.
	echo 1 >/proc/sys/kernel/panic_on_oops
	echo -1 >/proc/sys/kernel/panic
	# Before other work, however much that is: it is the kernel that is watched.
	setsid sh -c 'echo -20 >/proc/self/autogroup; exec watchdog -t "$1" /dev/watchdog' sh "$(argument watchdog 25)ms"
fi
