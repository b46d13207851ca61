"""MACs as users write them."""

from __future__ import annotations

import pytest

from compute.builtin.network.control.addressing import mac_of
from compute.exception import Invalid


@pytest.mark.parametrize('text', ['fa:16:3e:0a:bb:0c', 'FA:16:3E:0A:BB:0C', 'fa-16-3e-0a-bb-0c', 'fa163e0abb0c',
                                  'fa16.3e0a.bb0c', 'FA:16:3e:a:bb:c'])
def test_each_spelling_of_a_mac_is_the_same(text: str) -> None:
    assert mac_of(text) == 'fa:16:3e:0a:bb:0c'


@pytest.mark.parametrize('text', ['', '0', '00:00:00:00:00:00', '000000000000', '01:16:3e:00:00:01',
                                  'ff-ff-ff-ff-ff-ff',
                                  'fa:16:3e:00:00', 'fa:16:3e:00:00:01:02', 'fa:16-3e:00-00:01', 'fa:16:3e:00:00:0g',
                                  'fa:16:3e:00:00:001', 'fa163e0abb0c\n', 'fa16.3e0a', '\u0661a:16:3e:00:00:01'])
def test_what_is_no_mac_of_an_interface_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match='mac_address'):
        mac_of(text)
