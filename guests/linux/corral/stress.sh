# Keeps every CPU busy with work that checks its own results, and with hotplug=1 takes CPUs off and
# on meanwhile at random. With stress-ng where it is there (debian:initramfs-stress), else with
# loops of the shell.
#   corral.seconds=N (default 10)  corral.hotplug=0|1 (0)  corral.denied=0|1 (0, see lib.sh)
. /corral/lib.sh

seconds=$(argument seconds 10)
hotplug=$(argument hotplug 0)
denied=$(argument denied 0)

# left: how many seconds there are left.
left() {
	echo $((end - $(cut -d . -f 1 /proc/uptime)))
}

load_by_stress_ng() {
	stress-ng --cpu 0 --verify --timeout "${seconds}s" --metrics-brief >/tmp/load 2>&1
}

switch_by_stress_ng() {
	if [ "$denied" = 0 ]; then
		stress-ng --cpu-online 1 --pathological --timeout "${seconds}s" --metrics-brief >/tmp/switch 2>&1
		return
	fi
	# It gives up at the first CPU that stays off; it begins anew, and others are switched meanwhile.
	switch_by_loops &
	while [ "$(left)" -gt 0 ]; do
		stress-ng --cpu-online 1 --pathological --timeout 5s >/dev/null 2>&1
		sleep 1
	done
	wait $!
}

# Sums that have to come out right.
sums() {
	local sum number
	while [ "$(left)" -gt 0 ]; do
		sum=0 number=0
		while [ $number -lt 1000 ]; do
			number=$((number + 1)) sum=$((sum + number * number))
		done
		[ $sum -eq 333833500 ] || return 1
	done
}

load_by_loops() {
	local workers="" worker status=0
	for _ in $(expand "$(online)"); do
		sums &
		workers="$workers $!"
	done
	for worker in $workers; do
		wait "$worker" || status=1
	done
	return $status
}

# One random CPU off, the last one on.
switch_by_loops() {
	local cpu off=""
	while [ "$(left)" -gt 0 ]; do
		cpu=$((RANDOM % $(count "$(possible)")))
		echo 0 >$cpu_list/cpu$cpu/online
		[ -z "$off" ] || echo 1 >$cpu_list/cpu$off/online
		off=$cpu
	done 2>/dev/null
}

# Every change of a CPU logs lines; they are looked at below, not on the console.
dmesg -n 1
by=loops
[ ! -x /bin/stress-ng ] || by=stress_ng
echo "corral-stress: started by=$by hotplug=$hotplug on $(online)"
end=$(($(cut -d . -f 1 /proc/uptime) + seconds))
status=0 switcher=""
if [ "$hotplug" = 1 ]; then
	switch_by_$by &
	switcher=$!
fi
load_by_$by || status=1
[ -z "$switcher" ] || wait "$switcher" || status=1

[ $by = loops ] || grep -hE 'metrc.*\] cpu|fail|error' /tmp/load /tmp/switch 2>/dev/null
boots=$(dmesg | grep -c 'Booted secondary processor')
complaints >/tmp/found
number=$(wc -l </tmp/found)
if [ $status -eq 0 ] && [ "$number" -eq 0 ]; then
	echo "corral-stress: ok complaints=0 by=$by seconds=$seconds boots=$boots"
else
	cat /tmp/found
	echo "corral-stress: FAILED: complaints=$number status=$status by=$by"
	exit 1
fi
