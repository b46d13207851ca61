"""The ways of the fault matrix reach every declared stage, and the bed can make what each of them begins with."""

from __future__ import annotations

from compute.objects.kinds import KINDS
from compute.states import VM_STATES
from tests.real.faults.audit import _POWER
from tests.real.faults.bed import _MADE
from tests.real.faults.seams import END, LEG_END
from tests.real.faults.table import AT_HOST, FAULTS, MOVES
from tests.real.faults.ways import ACTIVE, GONE, LOST, NEW, WAYS, cells, unreachable


def test_every_declared_stage_has_a_way() -> None:
    assert unreachable() == []
    assert unreachable(ways=WAYS[:-1]) == ['revert_resize: resize_reverting', 'revert_resize: resize_restoring']


def test_ways_begin_and_end_with_what_the_bed_knows() -> None:
    assert {way.begins for way in WAYS} <= {NEW, ACTIVE, LOST, *_MADE}
    assert {way.ends for way in WAYS} <= {GONE, *_POWER} and set(_POWER) <= set(VM_STATES)
    names = [way.name for way in WAYS]
    assert len(names) == len(set(names)) and len({cell.title for cell in cells()}) == len(cells())


def test_faults_name_ways_that_exist() -> None:
    names = {way.name for way in WAYS}
    assert {*AT_HOST, *MOVES} <= names
    assert {name for fault in FAULTS for name in fault.may_fail} <= {'*', *names}


def test_the_end_of_every_leg_is_held() -> None:
    for way in WAYS:
        legs = [leg for leg in KINDS[way.kind].legs if leg.place != 'conductor']
        assert (LEG_END in way.edges) is (len(legs) > 1), way.name
        assert LEG_END not in way.edges or END in way.edges
