# Sourced by everything: paths, the console line, the clock.

export PATH=/bin:/sbin:/usr/bin:/usr/sbin
LIB=/usr/lib/guest
RUN=/run/guest          # facts of this boot
STATE=/var/lib/guest    # facts of this instance, kept on the disk

# Print one line on both consoles, with the seconds since the kernel started.
say() {
    read -r up _ </proc/uptime
    for console in /dev/console /dev/tty1; do
        echo "guest: $* [$up]" 2>/dev/null >$console
    done
}

# Whole seconds since the kernel started.
now() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

# json FILE POINTER-REGEX: the values at those places of a JSON file, one per line.
json() {
    [ ! -s "$1" ] || awk -v want="$2" -f $LIB/json.awk "$1"
}
