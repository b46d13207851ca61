# Removes every trace of a stack, also of one that only came up halfway, and nothing that was there before it.

take_down() {
    local keep='' packages='' users
    while [ $# -gt 0 ]; do
        case $1 in
            --keep-downloads) keep=1 ;;
            --packages) packages=1 ;;
            *) refuse "down takes --keep-downloads and --packages: $1" ;;
        esac
        shift
    done
    if [ ! -d "$STACK_DIR" ]; then
        echo "There is no stack in $STACK_DIR."
        [ -z "$packages" ] || down_step packages remove_packages
        return
    fi
    check_folder
    [ ! -f "$STACK_DIR/run/options" ] || read_options
    down_step daemons      stop_daemons
    down_step guests       remove_guests
    down_step interfaces   remove_interfaces
    ! uses_units || down_step units remove_units
    down_step services     stop_services
    down_step mounts       remove_mounts
    down_step files        remove_files "$keep"
    users=$(made_users | xargs)
    [ -z "$packages" ] || down_step packages remove_packages
    echo
    echo "Nothing of the stack in $STACK_DIR is left$([ -z "$keep" ] || echo ', but its downloads')."
    show_what_stays "$users"
}

# Goes on after a failure, so that the rest is removed; says what was left. The shell does not end a function at its first
# error here: each says "|| return 1" where it must not go on.
down_step() {
    local name=$1 begin
    begin=$(now)
    shift
    printf '  %-14s ' "$name"
    local said status=0
    said=$("$@" 2>&1) || status=$?
    if [ "$status" = 0 ]; then
        printf '%6s s  %s\n' "$(since "$begin")" "$(tail -n 1 <<<"$said")"
    else
        printf 'FAILED after %s s\n%s\n' "$(since "$begin")" "$(tail -n 8 <<<"$said" | sed 's/^/    /')"
    fi
}

any_python() {
    if [ -x "$(venv)/bin/python" ]; then echo "$(venv)/bin/python"; else find_python; fi
}

supervised() { "$(any_python)" "$ROOT/tools/supervise" --dir "$STACK_DIR/run" "$@" 2>/dev/null; }

stop_daemons() {
    local names
    if uses_units; then
        stop_units
        return
    fi
    names=$(supervised status | sed -n 's/^\(compute-[a-z-]*\) .*/\1/p')
    [ -z "$names" ] || supervised stop $names >/dev/null
    echo "$(wc -w <<<"$names") stopped"
}

our_instances() {
    sed -n 's/^instances_path = //p' "$STACK_DIR/etc/settings" 2>/dev/null || true
    echo "$STACK_DIR/data/instances"
}

remove_guests() {
    command -v virsh >/dev/null && virsh -c qemu:///system version >/dev/null 2>&1 || { echo 'no hypervisor'; return; }
    local name folder described count=0
    for name in $(virsh -q -c qemu:///system list --all --name); do
        described=$(virsh -c qemu:///system dumpxml "$name")
        for folder in $(our_instances); do
            if [[ $described == *"$folder/"* ]]; then
                virsh -q -c qemu:///system destroy "$name" 2>/dev/null || true
                virsh -q -c qemu:///system undefine "$name" --managed-save --snapshots-metadata --nvram
                rm -f "/var/log/libvirt/qemu/$name.log"
                count=$((count + 1))
                break
            fi
        done
    done
    echo "$count removed"
}

remove_interfaces() {
    local conf=$STACK_DIR/etc/standalone.conf
    [ -f "$conf" ] || conf=$STACK_DIR/etc/network-agent.conf
    if [ "$DRIVER" = fake ] || [ ! -f "$conf" ] || [ ! -x "$(venv)/bin/compute-network-agent" ]; then
        echo 'none were made'
        return
    fi
    "$(venv)/bin/compute-network-agent" --config-file "$conf" --cleanup >"$STACK_DIR/run/cleanup" 2>"$STACK_DIR/run/cleanup.log" ||
        { tail "$STACK_DIR/run/cleanup.log"; return 1; }
    echo "$(wc -l <"$STACK_DIR/run/cleanup") changes"
}

stop_services() {
    supervised down || true
    local left
    left=$(stack_processes)
    [ -z "$left" ] || kill $left 2>/dev/null || true
    wait_for 10 no_stack_processes || kill -9 $(stack_processes) 2>/dev/null || true
    echo "stopped${left:+, and $(wc -w <<<"$left") that had lost their supervisor}"
}

# Processes that name the stack's folder in their command line, but for this program and those who started it.
stack_processes() {
    local file words pid
    for file in /proc/[0-9]*/cmdline; do
        mapfile -d '' words 2>/dev/null <"$file" || continue
        pid=${file//[!0-9]/}
        [[ "${words[*]}" != *"$STACK_DIR/"* ]] || is_ancestor "$pid" || echo "$pid"
    done
}

no_stack_processes() { [ -z "$(stack_processes)" ]; }

is_ancestor() {
    local at=$BASHPID
    while [ "$at" -gt 1 ]; do
        [ "$at" != "$1" ] || return 0
        at=$(awk '/^PPid:/ { print $2 }' "/proc/$at/status" 2>/dev/null) || return 1
        [ -n "$at" ] || return 1
    done
    return 1
}

remove_mounts() {
    local path
    awk '{ print $5 }' /proc/self/mountinfo | grep -F "$STACK_DIR/" | sort -r | while read -r path; do
        umount -l "$path"
        echo "$path"
    done
    [ ! -e "$STACK_DIR/run/opened-proc-sys" ] || mount -o remount,bind,ro /proc/sys
    close_kvm_device
    echo 'none left'
}

remove_files() {
    local folder
    for folder in $(our_instances); do
        case $folder in /var/lib/libvirt/compute-stack-*) rm -rf "$folder" ;; esac
    done
    if [ -z "$1" ]; then
        rm -rf "$STACK_DIR" || return 1
        [ "$(cat "$UNITS_VENV/$FOLDER_MARK" 2>/dev/null)" != "$STACK_DIR" ] || rm -rf "$UNITS_VENV"
    else
        find "$STACK_DIR" -mindepth 1 -maxdepth 1 ! -name venv ! -name cache ! -name images ! -name $FOLDER_MARK \
            -exec rm -rf {} +
    fi
    echo removed
}

# What a stack does not take away: it may serve others by now, or cannot be told from what was there.
show_what_stays() {
    local packages
    packages=$(made_packages | xargs)
    if [ -n "$packages" ]; then
        echo "What stays: $(wc -w <<<"$packages") packages that came with a stack ('$COMMAND down --packages' removes them;" \
            "listed in $MADE_PACKAGES)."
        [ "$(systemctl is-enabled libvirtd 2>/dev/null)" != enabled ] ||
            echo 'The service libvirtd stays enabled (systemctl disable --now libvirtd).'
    fi
    [ -z "$1" ] || echo "Users that packages made stay, as files may be theirs: $1."
    [ ! -d "$ROOT/.stack-cache" ] || echo "The downloads of tests are in $ROOT/.stack-cache."
}
