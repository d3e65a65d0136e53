# The counting service of a group: counts in the log in the region as long as this is the primary, and follows it as a
# standby.
#   corral.count=N (0): ends after that number; 0: never  corral.period_us=N (10000)
. /corral/lib.sh

mkdir -p /run/corral
roles=/run/corral/roles
mkfifo $roles
# Open for both, so that neither side waits for the other, and the pipe never ends.
exec 3<>$roles
# The agent may have been told before the pipe was there.
[ ! -f /run/corral/role ] || cat /run/corral/role >&3
exec linux-counter /dev/pmem0 "period-us=$(argument period_us 10000)" "count=$(argument count 0)" <&3
