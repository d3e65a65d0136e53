# Load that comes and goes, for the governor.
#   corral.phases=KIND:SECONDS[,…] (load:10,idle:10), KIND: load or idle
. /corral/lib.sh

before=$(count "$(online)")
for phase in $(argument phases load:10,idle:10 | tr , ' '); do
	kind=${phase%:*} seconds=${phase#*:}
	workers=""
	if [ "$kind" = load ]; then
		# As many as there may be CPUs: some come later.
		for _ in $(expand "$(possible)"); do
			sh -c 'while :; do :; done' &
			workers="$workers $!"
		done
	fi
	sleep "$seconds"
	now=$(count "$(online)")
	change=same
	[ "$now" -le "$before" ] || change=more
	[ "$now" -ge "$before" ] || change=fewer
	echo "corral-phases: $kind: $change CPUs, $now after $before"
	before=$now
	[ -z "$workers" ] || kill $workers
	wait
done
found=$(complaints)
if [ -z "$found" ]; then
	echo "corral-phases: ok"
else
	echo "corral-phases: FAILED: $found"
	exit 1
fi
