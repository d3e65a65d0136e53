#!/bin/sh
# Takes CPUs off and on as the hypervisor asks: over the second UART one line a request, `offline 3`
# or `online 3`, and one line an answer: `ok offline 3`, `busy …` (for now) or `refused …`.
# It says `ready` when it listens. Stands alone: it can be copied into any Linux with a POSIX shell.
#   agent.sh [TTY [CPUS]]       default /dev/ttyAMA1 /sys/devices/system/cpu
tty=${1:-/dev/ttyAMA1}
cpus=${2:-/sys/devices/system/cpu}
[ -c "$tty" ] || exit 0
# Settings made before the first open would be lost with it.
exec <>"$tty" >&0
stty raw -echo
echo ready

# `env echo`, because the built-in echo of some shells does not say why a write failed.
while read -r verb cpu rest; do
	case $verb in
	online) value=1 ;;
	offline) value=0 ;;
	*) continue ;;
	esac
	case $cpu$rest in
	'' | *[!0-9]*) continue ;;
	esac
	if why=$(LC_ALL=C env echo $value 2>&1 >"$cpus/cpu$cpu/online"); then
		answer=ok
	else
		case $why in
		*'esource busy'* | *'temporarily unavailable'*) answer=busy ;;
		*) answer=refused ;;
		esac
	fi
	echo "$answer $verb $cpu"
done
