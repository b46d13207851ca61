"""Every declared kind of operation is consistent in itself, and with handlers, states and pages."""

from __future__ import annotations

import dataclasses
import itertools
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from compute import conf as options
from compute import states
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.conductor.handler import ConductorHandler
from compute.conductor.operations import HANDLERS, handler_of
from compute.objects.flavor import Flavor
from compute.objects.kinds import KINDS, Kind, kind_of, verb_of, without_secrets
from compute.objects.kinds.confirm_resize import ConfirmArgs
from compute.objects.kinds.create import CreateArgs, CreatePlan
from compute.objects.kinds.delete import DELETE, DeleteArgs, DeletePlan
from compute.objects.kinds.kind import (
    ACTIONS,
    ALL,
    ASK,
    BUILDS,
    CONDUCTOR,
    DESTINATION,
    ERROR,
    FAIL,
    GO_ON,
    HOST,
    KEEP,
    MOVES,
    RELEASE,
    SOURCE,
    UNCHANGED,
    NoArgs,
    secret,
)
from compute.objects.kinds.moving import MoveArgs, MoveCarry, MovePlan
from compute.objects.kinds.reboot import HARD_REBOOT, REBOOT
from compute.objects.kinds.revert_resize import RevertArgs
from compute.objects.kinds.start import START
from compute.objects.nic import NicRequest
from compute.objects.operation import Operation
from compute.objects.transfer import Offer, OfferedFile
from compute.objects.value import encode
from compute.virt.fake.driver import FakeDriver
from compute.worker.host import HostWorker
from tests.rpc_recorder import RecordedRpc
from tests.unit.doc.test_docs import page_of

ROOT = Path(__file__).parents[3]
TASK_STATES = {value for name, value in vars(states).items() if name.isupper() and isinstance(value, str)
               and value not in states.VM_STATES}
each = pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)
NIC = NicRequest(port_id='10000000-0000-4000-8000-000000000001', tag='front')
FLAVOR = Flavor(flavorid='7', name='large', vcpus=4, memory_mb=4096, root_gb=20, extra_specs={'a': 'b'})
OFFER = Offer(address='192.0.2.1', port=1, fingerprint='f', token='swordfish', backing={'disk': 'image'},
              files=(OfferedFile(name='disk', size=2, data_bytes=1, sha256='a'),))
# A value of each type of arguments and of plans, with everything in it.
VALUES: dict[type, Any] = {
    CreateArgs: CreateArgs(nics=(NIC,), admin_pass='swordfish', zone='z', host='h', node='n'),
    CreatePlan: CreatePlan(alternates=('b', 'c'), tried=('a',), last_error={'code': 'disk_full'}),
    DeleteArgs: DeleteArgs(nics=(NIC,)), DeletePlan: DeletePlan(hosts=('a', 'b')), NoArgs: NoArgs(),
    MoveArgs: MoveArgs(flavor=FLAVOR, vm_state='stopped', host='h'),
    MovePlan: MovePlan(source='a', destination='b', destination_address='192.0.2.2', offer=OFFER),
    MoveCarry: MoveCarry(offer=OFFER),
    ConfirmArgs: ConfirmArgs(vm_state='stopped'), RevertArgs: RevertArgs(flavor=FLAVOR, vm_state='stopped')}


@pytest.fixture(scope='module')
def at_host() -> dict[str, Any]:
    """Return the handlers of a worker by kind."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    rpc: Any = RecordedRpc()
    worker = HostWorker(conf, rpc, 'h1', FakeDriver(conf, 'h1'), FakeImages(), FakeNetworks(), lambda: None)
    worker.runner.stop()
    return dict(worker.runner._handlers)


# -- by itself --

@each
def test_it_is_found_by_its_name(kind: Kind[Any, Any]) -> None:
    assert KINDS[kind.name] is kind_of(kind.name) is kind
    assert kind.name.isidentifier() and len(kind.name) <= 40, 'the column is not longer'
    assert verb_of(kind.name) == kind.verb


@each
def test_stages(kind: Kind[Any, Any]) -> None:
    names = [stage.name for stage in kind.stages]
    assert names and len(set(names)) == len(names)
    assert {stage.at for stage in kind.stages} <= {CONDUCTOR, HOST, SOURCE, DESTINATION}
    assert kind.first is kind.stages[0] and [kind.stage(name) for name in names] == list(kind.stages)
    with pytest.raises(KeyError):
        kind.stage('of no kind')


@each
def test_legs(kind: Kind[Any, Any]) -> None:
    assert tuple(stage for leg in kind.legs for stage in leg.stages) == kind.stages
    assert all({stage.at for stage in leg.stages} == {leg.place} for leg in kind.legs)
    assert all(one.place != other.place for one, other in itertools.pairwise(kind.legs)), 'they would be one leg'
    assert [leg.has_undo for leg in kind.legs] == [any(stage.undo for stage in leg.stages) for leg in kind.legs]
    at_conductor = [number for number, leg in enumerate(kind.legs) if leg.place == CONDUCTOR]
    assert at_conductor in ([], [0]), 'a conductor decides first, then hosts work'
    assert not any(kind.legs[number].has_undo for number in at_conductor), 'no host could undo it'
    assert kind.begins == CONDUCTOR or kind.legs[0].place == HOST, 'the server\'s host is notified first'


@each
def test_a_plan_names_the_places(kind: Kind[Any, Any]) -> None:
    planned = {field.name for field in dataclasses.fields(kind.plan)}
    assert {leg.place for leg in kind.legs} - {CONDUCTOR, HOST} <= planned
    assert {field.name for field in dataclasses.fields(kind.carry)} <= planned, 'what a leg finds goes into the plan'
    kind.carry()  # a leg that finds nothing carries this


@each
def test_words_are_those_that_are_defined(kind: Kind[Any, Any]) -> None:
    assert kind.begins in (CONDUCTOR, HOST) and kind.pool in (BUILDS, ACTIONS, MOVES)
    assert kind.claim in (UNCHANGED, RELEASE)
    assert kind.on_failure in (KEEP, ERROR, ASK) and kind.survives_host_down in (FAIL, GO_ON)
    assert kind.deadline > 0


@each
def test_states_exist(kind: Kind[Any, Any]) -> None:
    assert {stage.shows for stage in kind.stages} <= TASK_STATES
    assert set(kind.guard.vm_states or ()) <= set(states.VM_STATES)
    assert set(kind.guard.task_states or ()) <= {None} | TASK_STATES


@each
def test_what_it_supersedes_exists(kind: Kind[Any, Any]) -> None:
    assert kind.supersedes == ALL or set(kind.supersedes) <= set(KINDS)
    for other in (*KINDS, 'of_a_later_release'):
        assert kind.cancels(other) is (kind.supersedes == ALL or other in kind.supersedes)


@each
def test_a_guard_lets_a_server_through_that_is_superseded(kind: Kind[Any, Any]) -> None:
    """Else the guard refuses it and nothing is ever superseded."""
    if kind.supersedes == ALL:
        assert kind.guard.task_states is None
    for name in set(kind.supersedes) & set(KINDS):
        assert KINDS[name].first.shows in (kind.guard.task_states or ())


# -- arguments, plans and secrets --

@each
def test_arguments_and_plans_come_back_from_the_ledger(kind: Kind[Any, Any]) -> None:
    assert kind.args_of(encode(VALUES[kind.args])) == VALUES[kind.args]
    assert kind.plan_of(encode(VALUES[kind.plan])) == VALUES[kind.plan]
    assert kind.plan_of({}) == kind.plan(), 'nothing is decided at first'


@each
def test_secrets_are_removed_and_not_shown(kind: Kind[Any, Any]) -> None:
    for column, form, without, again in (('args', kind.args, partial(without_secrets, kind.name), kind.args_of),
                                         ('plan', kind.plan, kind.plan_without_secrets, kind.plan_of)):
        value = VALUES[form]
        secrets = {field.name for field in dataclasses.fields(form) if field.metadata.get('secret')}
        stored = encode(value)
        kept = without(stored)
        assert kept.keys() == stored.keys() - secrets and again(kept) == dataclasses.replace(
            value, **dict.fromkeys(secrets))
        operation = Operation(request_id='r', kind=kind.name, instance_uuid='u', **{column: stored})
        assert not [name for name in secrets for text in (repr(value), repr(operation)) if str(stored[name]) in text]
    assert kind.has_secret_plan == bool(secrets)
    assert 'swordfish' not in repr(VALUES[kind.plan])


def test_what_is_secret() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Told:
        word: str | None = secret()
        other: str = ''
    kind = dataclasses.replace(START, args=Told)
    assert kind.without_secrets({'word': 'swordfish', 'other': 'x', 'unknown': 1}) == {'other': 'x', 'unknown': 1}
    assert 'swordfish' not in repr(Told(word='swordfish'))
    assert 'admin_pass' not in without_secrets('create', encode(VALUES[CreateArgs]))
    assert without_secrets('of_a_later_release', {'password': 'x'}) == {}, 'which of them are secret is not known'


# -- with what is around it --

@each
def test_the_conductor_has_a_handler_if_and_only_if_it_decides_something(kind: Kind[Any, Any]) -> None:
    decides = kind.on_failure == ASK or kind.begins == CONDUCTOR
    assert (kind.name in HANDLERS) is decides
    assert (type(handler_of(kind.name)) is ConductorHandler) is not decides
    if kind.begins == CONDUCTOR:
        assert type(HANDLERS[kind.name]).begin is not ConductorHandler.begin, 'else it is refused there'
    if kind.on_failure == ASK:
        assert type(HANDLERS[kind.name]).failed is not ConductorHandler.failed
    if kind.survives_host_down == GO_ON:
        assert type(handler_of(kind.name)).resume is not ConductorHandler.resume, 'it cannot notify a host that is down'


def test_handlers_are_of_kinds_that_exist(at_host: dict[str, Any]) -> None:
    assert HANDLERS.keys() <= KINDS.keys() and at_host.keys() <= KINDS.keys()


@each
def test_a_host_has_a_handler_for_what_runs_there(kind: Kind[Any, Any], at_host: dict[str, Any]) -> None:
    assert any(leg.place != CONDUCTOR for leg in kind.legs)
    for name in ('run', 'undo', 'after_failure'):
        assert callable(getattr(at_host[kind.name], name))


@each
def test_it_has_a_page(kind: Kind[Any, Any]) -> None:
    page = page_of(kind)
    assert page.is_file()
    assert f'   {page.stem}\n' in page.with_name('index.rst').read_text()
    for name in {kind.name, kind.verb} - {page.stem}:
        assert f'``{name}``' in page.read_text()


def test_users_know_both_reboots_by_one_verb() -> None:
    assert {kind.name: kind.verb for kind in KINDS.values() if kind.name != kind.verb} == {
        'reboot_hard': 'reboot', 'confirm_resize': 'confirmResize', 'revert_resize': 'revertResize'}
    assert verb_of('reboot_hard') == 'reboot' and verb_of('lock') == 'lock', 'of what is done at once, too'


def test_which_cancels_which() -> None:
    cancels = {(one.name, other.name) for one, other in itertools.product(KINDS.values(), repeat=2)
               if one.cancels(other.name)}
    assert cancels == {*((DELETE.name, name) for name in KINDS),
                       *((HARD_REBOOT.name, name) for name in (
                           REBOOT.name, HARD_REBOOT.name, 'pause', 'unpause', 'suspend', 'resume'))}
    assert not any(kind.cancels('delete') for kind in KINDS.values() if kind is not DELETE)
