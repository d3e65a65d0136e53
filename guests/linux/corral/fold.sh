# What a guest sees when its CPUs share fewer cores: all of them go on, its timers are right, and the
# time that others took is shown as stolen. It learns by that alone how it stands: run it with
# corral.agent=off, fold the domain after `corral-fold: started`, and unfold it after `corral-fold: ok`.
#   corral.seconds=N (default 10): for how long it looks, folded
. /corral/lib.sh

seconds=$(argument seconds 10)

# stolen: the time that was stolen from all CPUs since boot, in hundredths of a second.
stolen() {
	sed -n 's/^cpu  //p' /proc/stat | cut -d ' ' -f 8
}

# Every CPU counts.
mkdir /tmp/fold
workers=""
for cpu in $(expand "$(online)"); do
	taskset $(printf %x $((1 << cpu))) sh -c "
		number=0
		while :; do number=\$((number + 1)); [ \$((number % 1000)) -ne 0 ] || echo \$number >/tmp/fold/$cpu; done" &
	workers="$workers $!"
done
sleep 1
before=$(stolen)
echo "corral-fold: started on $(online) stolen=$before"
while [ "$(stolen)" -lt $((before + 20)) ]; do sleep 0.2; done
echo "corral-fold: shares stolen=$(stolen)"

# Timers: many short sleeps take as long as they should by the clock, or longer, as they share.
status=0
mkdir /tmp/then && cp /tmp/fold/* /tmp/then
read -r then _ </proc/uptime
slept=0
while [ $slept -lt $((seconds * 2)) ]; do
	sleep 0.5
	slept=$((slept + 1))
done
read -r now _ </proc/uptime
took=$(((${now%.*} - ${then%.*})))
[ $took -ge $((seconds - 1)) ] || status=1
[ $took -le $((seconds * 4)) ] || status=1
stuck=""
for cpu in $(expand "$(online)"); do
	[ "$(cat /tmp/then/$cpu)" != "$(cat /tmp/fold/$cpu)" ] || stuck="$stuck $cpu"
done
[ -z "$stuck" ] || status=1
if [ $status -eq 0 ]; then
	echo "corral-fold: ok cpus=$(count "$(online)") stolen=$(stolen)"
fi

# With its own cores no time is stolen.
last=0
while [ "$(stolen)" -gt $((last + 5)) ]; do
	last=$(stolen)
	sleep 1
done
kill $workers
wait
found=$(complaints)
if [ $status -eq 0 ] && [ -z "$found" ]; then
	echo "corral-fold: unfolded"
else
	echo "corral-fold: FAILED: took=${took}s for ${seconds}s stuck=[$stuck] $found"
	exit 1
fi
