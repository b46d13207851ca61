"""Bodies in chunks, however they are cut when they come."""

from __future__ import annotations

import pytest

from compute.http.body import Chunked, Length, Malformed

GOOD = b'5\r\nhello\r\n1;name="x"\r\n \r\n00005\r\nworld\r\n0\r\nX-Trailer: y\r\n\r\nGET'


@pytest.mark.parametrize('step', [1, 2, 3, 7, 1000])
def test_chunks_are_read_however_they_are_cut(step: int) -> None:
    decoder, buffer, got = Chunked(), bytearray(), b''
    for start in range(0, len(GOOD), step):
        buffer += GOOD[start:start + step]
        got += decoder.decode(buffer)
    assert (got, decoder.done, bytes(buffer)) == (b'hello world', True, b'GET')


@pytest.mark.parametrize('raw', [
    b'x\r\n', b'+5\r\nhello', b'5_0\r\n', b'0x5\r\n', b'-1\r\n', b'\r\n', b'5\nhello\n', b'5\r\nhelloworld',
    b'5\r\nhello\n\n', b'1111111111111111\r\n', b'5;' + b'a' * 2000, b'0\r\nno header\r\n',
    b'0\r\n' + b'a: b\r\n' * 70, b'5 5\r\n', b'5;\0\r\n'])
def test_malformed_chunks_are_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        Chunked().decode(bytearray(raw))


def test_a_body_of_a_known_length_leaves_the_rest() -> None:
    decoder, buffer = Length(5), bytearray(b'hel')
    assert (decoder.decode(buffer), decoder.done) == (b'hel', False)
    buffer += b'loGET'
    assert (decoder.decode(buffer), decoder.done, bytes(buffer)) == (b'lo', True, b'GET')
