"""A host gets the files of a server with each operation that it begins, also with those of its predecessor."""

from __future__ import annotations

from compute.conductor import create
from compute.objects.injected_file import InjectedFile
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
    assert held.files == ('YQ==', 'Yg==')
