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


@pytest.mark.parametrize('step', [1, 1000])
def test_extensions_may_not_outweigh_the_content(step: int) -> None:
    extended = b';' + b'a' * 1000
    decoder, fair = Chunked(), b'3e8%b\r\n%b\r\n' % (extended, b'x' * 1000) * 100
    buffer, got = bytearray(fair), 0
    while buffer and (data := decoder.decode(buffer)):
        got += len(data)
    assert got == 100000
    with pytest.raises(Malformed, match='extensions'):
        for start in range(0, 50 * 1010, step):
            buffer += (b'1%b\r\nx\r\n' % extended * 50)[start:start + step]
            decoder.decode(buffer)


def test_the_longest_line_is_the_same_however_it_is_cut() -> None:
    line = b'1;' + b'a' * 1022
    for cut in (len(line) - 1, len(line), len(line) + 1):
        decoder, buffer = Chunked(), bytearray((line + b'\r\n')[:cut])
        assert decoder.decode(buffer) == b''
        buffer += (line + b'\r\nx\r\n')[cut:]
        assert decoder.decode(buffer) == b'x'


def test_a_body_of_a_known_length_leaves_the_rest() -> None:
    decoder, buffer = Length(5), bytearray(b'hel')
    assert (decoder.decode(buffer), decoder.done) == (b'hel', False)
    buffer += b'loGET'
    assert (decoder.decode(buffer), decoder.done, bytes(buffer)) == (b'lo', True, b'GET')
