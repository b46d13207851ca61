# Kernel file systems, drivers, and the size of the root file system.

mount_file_systems() {
    mkdir -p /dev/pts /dev/shm
    mount -t devpts devpts /dev/pts
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /dev/shm
    ln -sfn /proc/self/fd /dev/fd
    mkdir -p $RUN $STATE
}

# Load what the devices ask for: buses first, then what was found behind them.
load_drivers() {
    modprobe -aq $(cat /etc/modules) $(cat /sys/bus/virtio/devices/*/modalias \
        /sys/bus/pci/devices/*/modalias 2>/dev/null | sort -u)
    scsi=$(cat /sys/bus/scsi/devices/*/modalias 2>/dev/null | sort -u)
    [ -z "$scsi" ] || modprobe -aq $scsi
}

# The initrd has grown the partition; the file system follows while mounted.
grow_root() {
    device=$(awk '$2 == "/" && $1 ~ "^/dev/" { print $1 }' /proc/mounts)
    [ -b "$device" ] || return 0
    blocks=$(hexdump -s 1028 -n 4 -e '1/4 "%u"' "$device")
    sectors=$(cat "/sys/class/block/${device#/dev/}/size")
    [ "$sectors" -gt $((blocks * 8 + 2048)) ] || return 0
    if resize2fs "$device" >$RUN/resize.log 2>&1; then
        say "root file system grown to $((sectors / 2048)) MiB"
    else
        say "root file system not grown: $(tail -n 1 $RUN/resize.log)"
    fi
}
