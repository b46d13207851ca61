# What makes this disk the instance that its documents describe. Keys, password and
# user_data are for the first boot of an instance (by uuid): what its owner changes
# later stays, and a snapshot started as a new server is set up anew.

META=$RUN/md/meta_data.json
USER_DATA_WAIT=30   # seconds that boot waits for the script; it may run on

set_hostname() {
    name=$(json $META '^/hostname$')
    name=${name%%.*}
    hostname "${name:-$(cat /etc/hostname)}"
    [ -z "$name" ] || [ "$name" = "$(cat /etc/hostname)" ] || {
        echo "$name" >/etc/hostname
        printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$name" >/etc/hosts
    }
}

write_keys() {
    json $META '^/public_keys/[^/]*$' | grep -E '^[^#[:space:]]+ ' | sort -u >$RUN/keys
    for home in /root /home/debian; do
        mkdir -p $home/.ssh
        cp $RUN/keys $home/.ssh/authorized_keys
        chmod 700 $home $home/.ssh
        chmod 600 $home/.ssh/authorized_keys
    done
    chown -R debian:debian /home/debian
}

set_admin_password() {
    password=$(json $META '^/admin_pass$')
    [ -n "$password" ] || return 0
    printf 'root:%s\ndebian:%s\n' "$password" "$password" | chpasswd
    say 'admin password set'
}

# Apply the once-per-instance parts if this boot is the first of its uuid.
begin_instance() {
    NEW_INSTANCE=
    uuid=$(json $META '^/uuid$')
    [ "$SOURCE" != none ] && [ "${uuid:-unknown}" != "$(cat $STATE/instance 2>/dev/null)" ] || return 0
    NEW_INSTANCE=1
    rm -rf ${STATE:?}/* /etc/dropbear/key
    write_keys
    set_admin_password
    echo "${uuid:-unknown}" >$STATE/instance
    sync
}

# Run the script in the background. Its output reaches the console in one piece, so
# that no line of it can run into one of ours.
start_user_data() {
    (
        "$STATE/user_data" </dev/null >/var/log/user-data.log 2>&1
        status=$?
        awk 1 /var/log/user-data.log >/dev/console
        say "user_data exit $status"
        : >$RUN/user_data.done
    ) &
}

run_user_data() {
    [ -n "$NEW_INSTANCE" ] && [ -s $RUN/md/user_data ] || return 0
    if [ "$(head -c 2 $RUN/md/user_data)" != '#!' ]; then
        say 'user_data is not a script'
        return 0
    fi
    cp $RUN/md/user_data $STATE/user_data
    chmod 700 $STATE/user_data
    start_user_data
    deadline=$(($(now) + USER_DATA_WAIT))
    until [ -e $RUN/user_data.done ]; do
        [ "$(now)" -lt $deadline ] || { say 'user_data still runs'; return 0; }
        usleep 50000
    done
}
