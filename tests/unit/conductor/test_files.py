"""A host gets the files of a server with each operation that it begins, also with those of its predecessor."""

from __future__ import annotations

import sqlalchemy as sa

from compute.conductor import create, delete
from compute.db import injected_files, instances
from compute.db.tables import injected_files as table
from compute.objects.injected_file import InjectedFile
from compute.objects.value import now
from tests.unit.conductor.making import USER, Controller

FILES = (InjectedFile(path='/a', content='YQ=='), InjectedFile(path='/b', content='Yg=='))


def test_begin_gives_the_files(controller: Controller) -> None:
    operation, plain = controller.create(files=FILES), controller.create()
    for each in (operation, plain):
        controller.conductor.submit(create.place, USER, each.id)
    work = controller.begin(operation.id, 'b')
    assert (work.instance.file_paths, work.files) == (('/a', '/b'), ('YQ==', 'Yg=='))
    assert controller.begin(plain.id, controller.operation(plain.id).host or '').files == ()
    assert 'YQ==' not in repr(work)


def test_a_host_that_starts_again_gets_them(controller: Controller) -> None:
    operation = controller.create(files=FILES)
    controller.conductor.submit(create.place, USER, operation.id)
    controller.begin(operation.id, 'b')
    controller.incarnations['b'] = 'the-next-one'
    held, = controller.register('b').held
    assert controller.begin(held.operation_id, 'b').files == ('YQ==', 'Yg==')


def test_files_go_with_a_server_that_a_conductor_of_the_release_before_deleted(controller: Controller) -> None:
    """That one marks the server and knows of no files."""
    deleted, kept = controller.create(files=FILES), controller.create(files=FILES)

    def purge(connection: sa.Connection) -> int:
        delete.forget(connection, instances.get(connection, deleted.instance_uuid))
        injected_files.insert(connection, [deleted.instance_uuid], FILES)
        return instances.purge(connection, now(), 10)
    assert controller.db.transaction(purge) == 1
    left = controller.db.read(lambda connection: connection.execute(sa.select(table.c.instance_uuid)).scalars().all())
    assert left == [kept.instance_uuid] * len(FILES)
