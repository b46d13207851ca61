# From json.awk's lines of a network_data.json, make lines for configure_static:
#   mtu MAC BYTES | address MAC ADDRESS/PREFIX | route MAC NETWORK/PREFIX GATEWAY
#   nameservers MAC SERVER,SERVER
# Networks that DHCP or router advertisements configure give no address line.

BEGIN { FS = "\t" }

{
    n = split($1, at, "/")
    if (at[2] == "links" && n == 4) {
        link[at[3], at[4]] = $2
        if (at[4] == "id") links = at[3] + 1
    } else if (at[2] == "networks" && n == 4) {
        network[at[3], at[4]] = $2
        if (at[3] + 1 > networks) networks = at[3] + 1
    } else if (at[2] == "networks" && at[4] == "routes") {
        route[at[3], at[5], at[6]] = $2
        if (at[5] + 1 > routes[at[3]]) routes[at[3]] = at[5] + 1
    } else if (at[2] == "networks" && at[4] == "services" && at[6] == "address") {
        add_server(at[3], $2)
    } else if (at[2] == "services" && at[4] == "address") {
        add_server("all", $2)
    }
}

END {
    for (l = 0; l < links; l++) {
        mac[link[l, "id"]] = tolower(link[l, "ethernet_mac_address"])
        if (link[l, "mtu"] + 0 > 0) print "mtu", mac[link[l, "id"]], link[l, "mtu"]
    }
    for (i = 0; i < networks; i++)
        if (network[i, "type"] == "ipv4" || network[i, "type"] == "ipv6") configure(i, mac[network[i, "link"]])
    for (hw in resolvers) {
        if (resolvers[hw] == "") resolvers[hw] = servers["all"]
        if (resolvers[hw] != "") print "nameservers", hw, resolvers[hw]
    }
}

function add_server(of, address) { servers[of] = both(servers[of], address) }

function both(some, more) { return some (some == "" || more == "" ? "" : ",") more }

function configure(i, hw,    r) {
    if (hw == "" || network[i, "ip_address"] == "") return
    print "address", hw, join(network[i, "ip_address"], network[i, "netmask"])
    for (r = 0; r < routes[i]; r++)
        if (route[i, r, "gateway"] != "")
            print "route", hw, join(route[i, r, "network"], route[i, r, "netmask"]), route[i, r, "gateway"]
    if (network[i, "gateway"] != "")
        print "route", hw, (network[i, "type"] == "ipv6" ? "::/0" : "0.0.0.0/0"), network[i, "gateway"]
    resolvers[hw] = both(resolvers[hw], servers[i])
}

function join(address, mask) {
    if (index(address, "/") || mask == "") return address
    return address "/" (mask ~ /[.:]/ ? prefix(mask) : mask)
}

# The number of leading ones in a dotted or an IPv6 mask.
function prefix(mask,    part, n, i, bits, octet, c) {
    if (mask ~ /:/) {
        for (i = 1; i <= length(mask); i++) {
            c = tolower(substr(mask, i, 1))
            bits += c == "f" ? 4 : c == "e" ? 3 : c == "c" ? 2 : c == "8" ? 1 : 0
        }
        return bits + 0
    }
    n = split(mask, part, ".")
    for (i = 1; i <= n; i++) for (octet = part[i]; octet > 0; octet = (octet * 2) % 256) bits++
    return bits + 0
}
