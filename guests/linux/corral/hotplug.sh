# Each round takes every CPU but one off and on again through sysfs. The survivor rotates, so that
# every CPU, the boot CPU too, is off in most of the rounds.
#   corral.rounds=N (default 10)
. /corral/lib.sh

rounds=$(argument rounds 10)
cpus=$(expand "$(possible)")
total=$(count "$(possible)")
all=$(online)
retries=0

fail() {
	echo "corral-hotplug: round=$round FAILED: $*"
	exit 1
}

# set_cpu CPU 0|1: the kernel may say "busy" for a moment (another hotplug operation is under way).
set_cpu() {
	local tries=0
	until echo "$2" >"$cpu_list/cpu$1/online"; do
		tries=$((tries + 1))
		retries=$((retries + 1))
		[ $tries -lt 5 ] || fail "cpu$1 to $2"
		usleep 100000
	done
}

# Every change logs four lines; they are looked at below, not on the console.
dmesg -n 4
[ "$(count "$all")" -eq "$total" ] || fail "only $all are online at the start"

round=0
while [ $round -lt "$rounds" ]; do
	survivor=$((round % total))
	for cpu in $cpus; do
		[ "$cpu" -eq $survivor ] || set_cpu "$cpu" 0
	done
	read -r left <$cpu_list/online
	[ "$left" = $survivor ] || fail "$left are online, not only $survivor"
	for cpu in $cpus; do
		[ "$cpu" -eq $survivor ] || set_cpu "$cpu" 1
	done
	read -r back <$cpu_list/online
	[ "$back" = "$all" ] || fail "$back are back online, not $all"
	found=$(complaints)
	[ -z "$found" ] || fail "$found"
	round=$((round + 1))
	[ $((round % 10)) -ne 0 ] || echo "corral-hotplug: round $round of $rounds"
done
echo "corral-hotplug: rounds=$rounds ok retries=$retries"
