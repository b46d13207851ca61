"""The clock: leases and heartbeats are compared between machines, which must agree within a second or two."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, fine, unknown, warning
from compute.cmd.doctor.machine import Machine


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Ask systemd, or chrony, whether the clock is synchronised."""
    told = machine.run('timedatectl', 'show', '--property=NTPSynchronized', '--value')
    if told.status == 0 and told.output == 'yes':
        yield fine('the clock is synchronised')
        return
    tracking = machine.run('chronyc', '-n', 'tracking')
    if tracking.status == 0 and 'Leap status     : Normal' in tracking.output:
        yield fine('the clock is synchronised by chrony')
    elif told.status != 0 and tracking.status == 127:
        yield unknown('neither timedatectl nor chronyc reports whether the clock is synchronised')
    else:
        yield warning('the clock is not synchronised: two machines whose clocks differ take work from one another',
                      'apt-get install chrony, or timedatectl set-ntp true')
