# What the scripts share.

# argument NAME DEFAULT: the value of corral.NAME=… on the kernel command line.
argument() {
	local word
	for word in $(cat /proc/cmdline); do
		case $word in
		corral."$1"=*) echo "${word#*=}" && return ;;
		esac
	done
	echo "$2"
}

cpu_list=/sys/devices/system/cpu

# expand LIST: the numbers of a kernel CPU list such as 0-2,5.
expand() {
	local range
	for range in $(echo "$1" | tr , ' '); do
		seq "${range%-*}" "${range#*-}"
	done
}

# How many CPUs a kernel CPU list names.
count() {
	expand "$1" | wc -l
}

online() {
	cat $cpu_list/online
}

possible() {
	cat $cpu_list/possible
}

# complaints: what the kernel logged since the last call that a healthy machine would not log.
#   corral.denied=1: a CPU may stay off because the domain has no core for it (CPU_ON: DENIED)
complaints() {
	# Writes to the region of a group (group.sh) need not outlast the machine.
	local expected='nd_pmem .*: unable to guarantee persistence'
	[ "$(argument denied 0)" = 0 ] || expected="$expected|failed to boot.*-1\\b"
	dmesg -c | grep -vE "$expected" | grep -E "rcu.*stall|WARNING|BUG|Call trace|failed to (come|boot)|soft lockup|[Uu]nable to|[Pp][Ss][Cc][Ii].*fail"
}
