"""The folder of signing keys."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from compute.builtin.identity.keys import KeyRepository
from compute.exception import Unavailable


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / 'deep' / 'keys'


def test_made_for_the_daemon_only(folder: pathlib.Path) -> None:
    KeyRepository(str(folder), 3600).ensure()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {'primary.pem', 'staged.pem'}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())


def test_closed_when_it_was_open(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    KeyRepository(str(folder), 3600).ensure()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_ensure_keeps_what_is_there(folder: pathlib.Path) -> None:
    keys = KeyRepository(str(folder), 3600)
    keys.ensure()
    before = keys.public()
    keys.ensure()
    assert KeyRepository(str(folder), 3600).public() == before


def test_rotation(folder: pathlib.Path) -> None:
    keys = KeyRepository(str(folder), 3600)
    keys.ensure()
    first, staged = (key['kid'] for key in keys.public())
    assert keys.rotate() == staged, 'the key that was published before signs now'
    kids = [key['kid'] for key in keys.public()]
    assert kids[0] == staged and first in kids and len(kids) == 3
    text = (folder / f'{first}.pub').read_text()
    assert 'PUBLIC' in text and 'PRIVATE' not in text


def test_another_process_sees_a_rotation(folder: pathlib.Path) -> None:
    daemon, tool = KeyRepository(str(folder), 3600), KeyRepository(str(folder), 3600)
    daemon.ensure()
    assert daemon.public()
    kid = tool.rotate()
    import jwt
    assert jwt.get_unverified_header(daemon.sign({}))['kid'] == kid


def test_old_keys_go_when_their_tokens_have_expired(folder: pathlib.Path) -> None:
    keys = KeyRepository(str(folder), 3600)
    keys.ensure()
    keys.rotate()
    old = next(folder.glob('*.pub'))
    os.utime(old, (0, 0))
    keys.rotate()
    assert not old.exists() and len(keys.public()) == 3


@pytest.mark.parametrize('content', [None, b'', b'no key'])
def test_unreadable(folder: pathlib.Path, content: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    """The log says which folder; the caller learns no path."""
    keys = KeyRepository(str(folder), 3600)
    keys.ensure()
    (folder / 'primary.pem').unlink()
    if content is not None:
        (folder / 'primary.pem').write_bytes(content)
    with pytest.raises(Unavailable) as caught:
        keys.sign({})
    assert str(folder) not in caught.value.message and str(folder) in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give a file to another')
def test_what_root_writes_belongs_to_the_owner_of_the_folder(folder: pathlib.Path) -> None:
    keys = KeyRepository(str(folder), 3600)
    keys.ensure()
    os.chown(folder, 4711, 4712)
    keys.rotate()
    found = (folder / 'staged.pem').stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (4711, 4712, 0o600)
