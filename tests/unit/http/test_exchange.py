"""What becomes of an application's answer, right or wrong."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from compute.http import exchange
from compute.http.body import Length
from compute.http.exchange import Answer
from compute.http.reader import Request

OK = '200 OK'


class Result:
    """What an application returns: an iterator that counts how often it is closed."""

    def __init__(self, *chunks: bytes | Exception, close_fails: bool = False) -> None:
        self.chunks, self.close_fails, self.closed = list(chunks), close_fails, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        """Count, and fail if it was told so."""
        self.closed += 1
        if self.close_fails:
            raise RuntimeError('oh')


class Parts(list[bytes]):
    """A list that is closed."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def run(app: Callable[..., Any], *, streamed: bool = False, method: str = 'GET', version: str = '1.1') -> Answer:
    environ = {'REQUEST_METHOD': method, 'PATH_INFO': '/x', 'SERVER_PROTOCOL': f'HTTP/{version}'}
    return exchange.run(app, Request(environ, True, Length(0) if streamed else None), lambda: False)


def giving(result: Any, status: str = OK, *headers: tuple[str, str]) -> Callable[..., Any]:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return result
    return app


def sent(answer: Answer) -> bytes:
    with closing(answer):
        return answer.data + b''.join(answer.chunks or ())


@pytest.mark.parametrize('streamed', [False, True])
@pytest.mark.parametrize('method', ['GET', 'HEAD'])
@pytest.mark.parametrize('result', [
    Result(b'he', b'llo'), Result(), Parts([b'hello']), Result(b'hello', close_fails=True)],
    ids=['chunks', 'nothing', 'list', 'failing'])
def test_a_result_is_closed_once_whatever_it_is(result: Any, method: str, streamed: bool) -> None:
    before = result.closed
    data = sent(run(giving(result), streamed=streamed, method=method))
    assert data.startswith(b'HTTP/1.1 200 OK\r\n') and result.closed == before + 1


@pytest.mark.parametrize('streamed', [False, True])
@pytest.mark.parametrize(('status', 'header'), [
    (OK, ('X', 'a\r\nY: b')), (OK, ('Content-Length', 'x')), (OK, ('X', '\u20ac')), ('', ('X', 'y')),
    ('200 OK\r\nX: y', ('X', 'y')), ('OK', ('X', 'y'))],
    ids=['header', 'length', 'letters', 'none', 'status', 'number'])
def test_a_result_is_closed_when_its_head_is_wrong(status: str, header: tuple[str, str], streamed: bool) -> None:
    result = Result(b'hello')
    answer = run(giving(result, status, header), streamed=streamed)
    assert answer.data.startswith(b'HTTP/1.1 500 ') and b'Y: b' not in answer.data and not answer.keep
    assert result.closed == 1


def test_a_result_that_fails_is_answered_with_500_and_closed() -> None:
    result = Result(b'he', RuntimeError('oh'))
    answer = run(giving(result))
    assert answer.data.startswith(b'HTTP/1.1 500 ') and answer.chunks is None and result.closed == 1


def test_a_stream_that_fails_has_no_end_and_is_closed() -> None:
    result = Result(b'he', RuntimeError('oh'))
    answer = run(giving(result), streamed=True)
    got = b''
    with pytest.raises(RuntimeError), closing(answer):
        for chunk in answer.chunks or ():
            got += chunk
    assert got == b'2\r\nhe\r\n' and result.closed == 1


@pytest.mark.parametrize('body', [b'hell', b'hello!'])
def test_an_answer_whose_length_is_wrong_is_not_sent(body: bytes) -> None:
    assert run(giving([body], OK, ('Content-Length', '5'))).data.startswith(b'HTTP/1.1 500 ')


def test_what_a_stream_has_beyond_its_length_is_dropped() -> None:
    assert sent(run(giving(Result(b'he', b'llo!!', b'!'), OK, ('Content-Length', '5')),
                    streamed=True)).endswith(b'\r\n\r\nhello')


def test_an_answer_without_content_has_no_length() -> None:
    data = run(giving([], '204 No Content', ('content-length', '0'), ('X', 'y'))).data
    assert b'ength' not in data and b'\r\nX: y\r\n' in data and data.endswith(b'\r\n\r\n')
    assert b'Content-Length: 5' in run(giving([b''], '304 Not Modified', ('Content-Length', '5'))).data


def test_a_generator_may_begin_its_answer_late() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield b''
        start_response(OK, [])
        yield b'hello'
    assert sent(run(app, streamed=True)).endswith(b'5\r\nhello\r\n0\r\n\r\n')
    assert sent(run(app)).endswith(b'\r\n\r\nhello')


def test_a_second_answer_comes_too_late_once_the_first_is_sent() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response(OK, [])
        yield b'hello'
        try:
            raise RuntimeError('oh')
        except RuntimeError:
            start_response('500 Oh', [], sys.exc_info())
            yield b'another'
    assert run(app).data.startswith(b'HTTP/1.1 500 Oh'), 'nothing is sent yet'
    with pytest.raises(RuntimeError):
        sent(run(app, streamed=True))


@pytest.mark.parametrize('error', [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_an_application_raises_is_answered(error: type[BaseException],
                                                    caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        raise error
    with caplog.at_level(logging.ERROR):
        assert run(app).data.startswith(b'HTTP/1.1 500 ')
    assert 'GET /x failed' in caplog.text
