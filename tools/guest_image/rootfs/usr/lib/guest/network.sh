# Interfaces: static as network_data.json says, DHCP for all others.

start_dhcp() {
    [ ! -d "/proc/$(cat "/run/udhcpc.$1.pid" 2>/dev/null || echo none)" ] || return 0
    ip link set "$1" up
    udhcpc -f -i "$1" -t 5 -T 1 -A 2 -S -O search -O staticroutes -O mtu \
        -x "hostname:$(hostname)" -p "/run/udhcpc.$1.pid" \
        -s /usr/share/udhcpc/default.script >/dev/null 2>&1 &
}

stop_dhcp() {
    [ ! -s "/run/udhcpc.$1.pid" ] || kill "$(cat "/run/udhcpc.$1.pid")" 2>/dev/null
    rm -f "/run/resolv.$1" "$RUN/up.$1"
    write_resolvers
}

write_resolvers() { cat /run/resolv.* >/etc/resolv.conf 2>/dev/null; }

# add_route INTERFACE DESTINATION GATEWAY: the first interface wins by its metric.
# A gateway outside the subnet is legal in cloud networks, hence the second try.
add_route() {
    metric=$((100 + $(cat "/sys/class/net/$1/ifindex")))
    ip route replace "$2" via "$3" dev "$1" metric $metric 2>/dev/null || {
        ip route replace "$3" dev "$1"
        ip route replace "$2" via "$3" dev "$1" metric $metric
    }
}

# set_resolvers INTERFACE SEARCH-DOMAIN SERVER...
set_resolvers() {
    interface_name=$1
    {
        [ -z "$2" ] || echo "search $2"
        shift 2
        for server; do echo "nameserver $server"; done
    } >"/run/resolv.$interface_name"
    write_resolvers
}

interface_of_mac() {
    for path in /sys/class/net/*; do
        [ "$(cat "$path/address")" != "$1" ] || { echo "${path##*/}"; return; }
    done
}

# Follow the lines that network.awk makes of network_data.json.
configure_static() {
    awk -f $LIB/json.awk "$1" | awk -f $LIB/network.awk | while read -r what mac value gateway; do
        nic=$(interface_of_mac "$mac")
        [ -n "$nic" ] || continue
        case $what in
            mtu) ip link set "$nic" mtu "$value" ;;
            address)
                ip link set "$nic" up
                ip addr replace "$value" dev "$nic"
                say "static $nic $value"
                # an IPv6 address alone leaves IPv4 to DHCP
                case $value in *:*) ;; *) : >"$RUN/up.$nic" ;; esac
                ;;
            route) add_route "$nic" "$value" "$gateway" ;;
            nameservers) set_resolvers "$nic" '' $(echo "$value" | tr , ' ') ;;
        esac
    done
}

start_network() {
    ip link set lo up
    [ ! -s $RUN/md/network_data.json ] || configure_static $RUN/md/network_data.json
    for path in /sys/class/net/eth*; do
        nic=${path##*/}
        [ ! -d "$path" ] || [ -e "$RUN/up.$nic" ] || start_dhcp "$nic"
    done
}

has_network() {
    for path in $RUN/up.*; do [ -e "$path" ] && return 0; done
    return 1
}

# Let each interface come up, but not for longer than 5 seconds: boot goes on
# without a DHCP server, which may still answer later.
wait_for_network() {
    deadline=$(($(now) + 5))
    for path in /sys/class/net/eth*; do
        [ -d "$path" ] || continue
        until [ -e "$RUN/up.${path##*/}" ] || [ "$(now)" -ge $deadline ]; do usleep 100000; done
    done
}
