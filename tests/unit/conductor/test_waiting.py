"""What has to wait for somebody who does not answer hides nothing and holds nothing up."""

from __future__ import annotations

import threading

from compute import exception
from compute.conductor.conductor import Conductor
from compute.objects.operation import RUNNING
from tests.unit.conductor.making import USER, Controller
from tests.waiting import deadline


def test_the_sweep_goes_to_the_last_one(controller: Controller) -> None:
    """Those that have to wait must not hide those after them."""
    controller.conf.set_override('reaper_batch', 2, 'conductor')
    controller.rpc.answers['select'] = exception.RpcTimeout('no scheduler')
    waiting = [controller.create() for _ in range(4)]
    last = controller.create()
    controller.delete(last.instance_uuid)
    deletion = controller.newest(last.instance_uuid)
    for each in (*waiting, deletion):
        controller.overdue(each.id)
    assert controller.reaper.sweep() == 5
    assert controller.instance(last.instance_uuid).deleted
    assert [controller.operation(each.id).state for each in waiting] == [RUNNING] * 4


def test_deletes_do_not_wait_behind_builds_that_wait_for_a_scheduler(controller: Controller) -> None:
    for name in ('pool_size', 'placing_pool_size'):
        controller.conf.set_override(name, 1, 'conductor')
    conductor = Conductor(controller.cloud)  # type: ignore[arg-type]
    answered, done = threading.Event(), threading.Event()
    conductor.submit_placing((1,), lambda *arguments: answered.wait(120), USER)
    conductor.submit(lambda *arguments: done.set(), USER, 2)
    assert done.wait(120) and conductor.working() == (1,)
    answered.set()
    conductor.finish(deadline())
    assert conductor.working() == ()
