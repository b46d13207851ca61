#!/bin/sh
# Called by busybox uevent for each kernel event after boot, one after the other:
# nothing here may wait.
. /usr/lib/guest/common.sh
. /usr/lib/guest/network.sh

[ "$ACTION" = add ] && [ -n "$MODALIAS" ] && modprobe -q "$MODALIAS"

case "$ACTION:$SUBSYSTEM:$DEVTYPE$INTERFACE" in
    add:net:eth*) say "hotplug nic $INTERFACE"; start_dhcp "$INTERFACE" ;;
    remove:net:eth*) say "unplugged nic $INTERFACE"; stop_dhcp "$INTERFACE" ;;
    add:block:disk) say "hotplug disk $DEVNAME" ;;
    remove:block:disk) say "unplugged disk $DEVNAME" ;;
esac
