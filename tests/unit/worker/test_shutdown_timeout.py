"""How long a guest may take to shut down, by its image's word."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from compute.objects.image import Image
from compute.worker.power import LONGEST_SHUTDOWN, PowerHandler
from tests.contract.virt.making import make_instance


@pytest.mark.parametrize(('word', 'option', 'expected'), [
    ('30', 60.0, 30.0), ('', 60.0, 60.0), ('0', 60.0, 0.0), ('soon', 60.0, 60.0), ('\u00b2', 60.0, 60.0),
    ('999999999', 60.0, LONGEST_SHUTDOWN), ('9' * 400, 60.0, 60.0), ('999999999', 1200.0, 1200.0)])
def test_an_image_cannot_keep_a_thread_for_ever(word: str, option: float, expected: float) -> None:
    handler = PowerHandler(SimpleNamespace(worker=SimpleNamespace(shutdown_timeout=option)), None)  # type: ignore[arg-type]
    image = Image(id='i', properties={'os_shutdown_timeout': word})
    assert handler.shutdown_timeout(make_instance(image)) == expected
