# All CPUs are there, and on each of them timer interrupts and inter-processor interrupts arrive.
. /corral/lib.sh

total=$(count "$(possible)")

# counters PATTERN: one number a CPU, the sum over the lines of /proc/interrupts that match.
counters() {
	awk -v n="$total" -v pattern="$1" '
		$0 ~ pattern { for (i = 1; i <= n; i++) sum[i] += $(i + 1) }
		END { for (i = 1; i <= n; i++) printf "%d ", sum[i] }' /proc/interrupts
}

# A process moves to every CPU and keeps it busy for some ticks.
exercise() {
	local cpu
	for cpu in $(expand "$(online)"); do
		taskset $(printf %x $((1 << cpu))) sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done' &
	done
	wait
}

fail() {
	echo "corral-smp: FAILED: $*"
	exit 1
}

# moves NAME PATTERN: the interrupt's counter rises on every CPU.
moves() {
	local before after moved
	before=$(counters "$2")
	exercise
	after=$(counters "$2")
	moved=$(echo "$before $after" | awk -v n="$total" '
		{ for (i = 1; i <= n; i++) if ($(i + n) > $i) moved++ }
		END { print moved + 0 }')
	echo "corral-smp: $1 interrupts on $moved of $total CPUs"
	[ "$moved" -eq "$total" ] || fail "$1: before $before, after $after"
}

[ "$(nproc)" -eq "$total" ] || fail "$(nproc) of $total CPUs are online"
moves timer arch_timer
[ "$total" -eq 1 ] || moves inter-processor '^ *IPI'
found=$(complaints)
[ -z "$found" ] || fail "$found"
echo "corral-smp: cpus=$total ok"
