# Counts on each CPU, in a variable, in a file and on the console, for a kernel that may go back to a checkpoint at any
# time: nobody notices anything but the clock.
#   corral.count=N (300): how far
. /corral/lib.sh

limit=$(argument count 300)

# count_on CPU: a worker that is bound to it.
count_on() {
	local n=0 sum=0
	while [ $n -lt "$limit" ]; do
		n=$((n + 1))
		sum=$((sum + n))
		echo $sum >"/tmp/sum$1"
		usleep 10000
		[ "$(cat "/tmp/sum$1")" = $((n * (n + 1) / 2)) ] || echo "corral-checkpoint: cpu=$1 n=$n sum=$sum FAILED"
		[ $((n % 25)) -ne 0 ] || echo "corral-checkpoint: cpu=$1 n=$n"
	done
}

for cpu in $(seq 0 $(($(nproc) - 1))); do
	(taskset -p $((1 << cpu)) "$(sh -c 'echo $PPID')" >/tmp/taskset; count_on "$cpu") &
	workers="$workers $!"
done
wait $workers
complaints=$(complaints)
echo "corral-checkpoint: complaints=$(echo -n "$complaints" | grep -c .)"
echo "$complaints"
