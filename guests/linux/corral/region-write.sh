# Stores to the region of its group as a standby, which may only read it: the domain does not outlive that.
. /corral/lib.sh

until grep -qs standby /run/corral/role; do sleep 1; done
echo "corral-region-write: as a standby"
dd if=/dev/zero of=/dev/pmem0 bs=4096 seek=16 count=1 oflag=direct
echo "corral-region-write: FAILED: it was stored"
