# Keeps every CPU busy with system calls, forks and memory traffic.
#   corral.seconds=N (default 10)
. /corral/lib.sh

seconds=$(argument seconds 10)
workers=""
for cpu in $(expand "$(online)"); do
	taskset $(printf %x $((1 << cpu))) sh -c '
		while :; do dd if=/dev/zero of=/dev/null bs=64k count=256; done 2>/dev/null' &
	workers="$workers $!"
done
echo "corral-load: started on $(online)"
sleep "$seconds"
kill $workers
wait
found=$(complaints)
[ -z "$found" ] || { echo "corral-load: FAILED: $found"; exit 1; }
echo "corral-load: seconds=$seconds ok"
