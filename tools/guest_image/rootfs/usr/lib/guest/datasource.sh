# Where the instance's documents come from: the config drive, else the metadata
# service. Both leave meta_data.json and, if there is one, user_data in $RUN/md.

SOURCE=none
SERVICE=http://169.254.169.254/openstack/latest
METADATA_WAIT=20    # seconds, over all: address, first answer and retries

read_config_drive() {
    mkdir -p $RUN/md /mnt/config
    drive=$(findfs LABEL=config-2 2>/dev/null) || drive=$(findfs LABEL=CONFIG-2 2>/dev/null) || return 0
    # named types: they make the kernel load the driver
    if ! mount -r -t iso9660 "$drive" /mnt/config 2>/dev/null && ! mount -r -t vfat "$drive" /mnt/config; then
        say "config drive $drive cannot be mounted"
        return 0
    fi
    if cp -r /mnt/config/openstack/latest/* $RUN/md/ && [ -s $RUN/md/meta_data.json ]; then
        SOURCE=config-drive
    else
        say "config drive $drive has no openstack/latest/meta_data.json"
    fi
    umount /mnt/config
}

# fetch NAME SECONDS: get one document whole or not at all.
# (wget's own -T crashes in Debian's static busybox, hence timeout.)
fetch() {
    if timeout "$2" wget -q -O "$RUN/fetch" "$SERVICE/$1" 2>$RUN/fetch.err; then
        mv $RUN/fetch "$RUN/md/$1"
    else
        rm -f $RUN/fetch
        return 1
    fi
}

# Absent (404) is an answer; anything else is tried again.
fetch_optional() {
    for try in 1 2 3; do
        fetch "$1" 8 && return 0
        ! grep -q ' 404' $RUN/fetch.err || return 0
        usleep 500000
    done
    say "$1 could not be fetched"
}

read_metadata_service() {
    set -- /sys/class/net/eth*
    [ -d "$1" ] || return 0
    deadline=$(($(now) + METADATA_WAIT))
    while left=$((deadline - $(now))); [ $left -gt 0 ]; do
        if has_network; then
            [ $left -lt 8 ] || left=8
            if fetch meta_data.json $left; then SOURCE=metadata; break; fi
            usleep 500000
        else
            usleep 100000
        fi
    done
    [ $SOURCE = none ] || fetch_optional user_data
}
