#!/bin/sh
# Does what the hypervisor asks over the second UART, one line a request.
#   offline 3, online 3         takes a CPU off and on; one line an answer: `ok offline 3`, `busy …` (for now) or
#                               `refused …`
#   primary 2, standby 2        what the domain is in its group from this epoch on: goes to the file role below /run, and
#                               to the program `primary` or `standby` in the folder HOOKS, if there is one
# It says `ready` when it listens. Stands alone: it can be copied into any Linux with a POSIX shell.
#   agent.sh [TTY [CPUS [HOOKS]]]       default /dev/ttyAMA1 /sys/devices/system/cpu /corral
tty=${1:-/dev/ttyAMA1}
cpus=${2:-/sys/devices/system/cpu}
hooks=${3:-/corral}
state=/run/corral
[ -c "$tty" ] || exit 0
# Settings made before the first open would be lost with it.
exec <>"$tty" >&0
stty raw -echo
echo ready

# `env echo`, because the built-in echo of some shells does not say why a write failed.
while read -r verb number rest; do
	case $number$rest in
	'' | *[!0-9]*) continue ;;
	esac
	case $verb in
	online) value=1 ;;
	offline) value=0 ;;
	primary | standby)
		mkdir -p $state
		echo "$verb $number" >$state/role.new
		mv $state/role.new $state/role
		# The line is for requests and answers only.
		[ ! -x "$hooks/$verb" ] || "$hooks/$verb" "$number" </dev/null >/dev/console 2>&1 &
		continue
		;;
	*) continue ;;
	esac
	if why=$(LC_ALL=C env echo $value 2>&1 >"$cpus/cpu$number/online"); then
		answer=ok
	else
		case $why in
		*'esource busy'* | *'temporarily unavailable'*) answer=busy ;;
		*) answer=refused ;;
		esac
	fi
	echo "$answer $verb $number"
done
