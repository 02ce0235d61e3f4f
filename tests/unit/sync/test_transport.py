"""Whether a byte has left decides between "try again" and "ask first"."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from dipgate.core.errors import OutcomeUnknown, RetryLater
from dipgate.sync.transport import Timeouts, Transport

QUICK = Timeouts(connect=0.5, read=0.5, total=0.8)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[socket.socket, threading.Event], None]


@contextmanager
def scripted(*scripts: Script) -> Iterator[str]:
    """A peer that plays one script per connection: exact bytes, waits and hang-ups."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def play() -> None:
        for script in scripts:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            with conn:
                script(conn, over)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        over.set()
        listener.close()
        thread.join(5)


def request_of(conn: socket.socket) -> bytes:
    """Read one request, up to its two-byte body `{}`."""
    data = b""
    while not data.endswith(b"{}"):
        piece = conn.recv(65536)
        if not piece:
            return data
        data += piece
    return data


def says(*pieces: bytes) -> Script:
    def script(conn: socket.socket, _over: threading.Event) -> None:
        request_of(conn)
        for piece in pieces:
            conn.sendall(piece)

    return script


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(QUICK, max_body=100_000)
    yield made
    made.close()


def test_a_whole_answer(transport: Transport) -> None:
    with scripted(says(OK)) as url:
        answer = transport.post(url, b"{}", {})
    assert (answer.status, answer.body) == (200, b"ok")


def test_refused_connection_means_nothing_left(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RetryLater, match="没有发出"):
        transport.post(f"http://127.0.0.1:{port}/x", b"{}", {})


def test_tls_that_is_not_agreed_means_nothing_left(transport: Transport) -> None:
    def no_tls(conn: socket.socket, _over: threading.Event) -> None:
        conn.recv(1000)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with scripted(no_tls) as url, pytest.raises(RetryLater):
        transport.post(url.replace("http:", "https:"), b"{}", {})


def test_hang_up_after_the_request_is_unknown(transport: Transport) -> None:
    with scripted(says()) as url, pytest.raises(OutcomeUnknown, match="中断"):
        transport.post(url, b"{}", {})


def test_silence_is_unknown_after_the_read_time(transport: Transport) -> None:
    def silent(conn: socket.socket, over: threading.Event) -> None:
        request_of(conn)
        over.wait(5)

    began = monotonic()
    with scripted(silent) as url, pytest.raises(OutcomeUnknown, match="没有应答"):
        transport.post(url, b"{}", {})
    assert monotonic() - began < 2


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_dripping_answers_end_at_the_total_time(transport: Transport, head: bytes) -> None:
    def drip(conn: socket.socket, over: threading.Event) -> None:
        request_of(conn)
        conn.sendall(head)
        while not over.wait(0.1):
            try:
                conn.sendall(b"H")
            except OSError:
                return

    began = monotonic()
    with scripted(drip) as url, pytest.raises(OutcomeUnknown):
        transport.post(url, b"{}", {})
    assert monotonic() - began < 2


def test_half_a_body_is_unknown(transport: Transport) -> None:
    half = b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"infcode":0}'
    with scripted(says(half)) as url, pytest.raises(OutcomeUnknown):
        transport.post(url, b"{}", {})


def test_redirects_are_not_followed(transport: Transport) -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    with scripted(says(away)) as url:
        assert transport.post(url, b"{}", {}).status == 302


@pytest.mark.parametrize("packed", [False, True])
def test_too_long_an_answer_is_not_read_to_its_end(transport: Transport, packed: bool) -> None:
    body = b"0" * 3_000_000
    extra = b""
    if packed:
        body, extra = gzip.compress(body), b"Content-Encoding: gzip\r\n"
    head = b"HTTP/1.1 200 OK\r\n" + extra + f"Content-Length: {len(body)}\r\n\r\n".encode()

    def flood(conn: socket.socket, _over: threading.Event) -> None:
        request_of(conn)
        try:
            conn.sendall(head + body)
        except OSError:
            return

    with scripted(flood) as url, pytest.raises(OutcomeUnknown, match="超过"):
        transport.post(url, b"{}", {})


def test_written_is_told_before_the_answer_comes(transport: Transport) -> None:
    written = threading.Event()

    def late(conn: socket.socket, _over: threading.Event) -> None:
        request_of(conn)
        if written.wait(5):
            conn.sendall(OK)

    with scripted(late) as url:
        assert transport.post(url, b"{}", {}, on_written=written.set).body == b"ok"


def test_one_connection_serves_many_exchanges(transport: Transport) -> None:
    def twice(conn: socket.socket, _over: threading.Event) -> None:
        for _ in range(2):
            request_of(conn)
            conn.sendall(OK)

    with scripted(twice) as url:
        assert transport.post(url, b"{}", {}).body == b"ok"
        assert transport.post(url, b"{}", {}).body == b"ok"


def test_a_connection_closed_in_between_is_opened_again(transport: Transport) -> None:
    with scripted(says(OK), says(OK)) as url:
        assert transport.post(url, b"{}", {}).body == b"ok"
        assert transport.post(url, b"{}", {}).body == b"ok"


def test_environment_proxies_are_not_used(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with scripted(says(OK)) as url:
        assert transport.post(url, b"{}", {}).body == b"ok"


def test_error_sentences_hold_neither_address_nor_answer(transport: Transport) -> None:
    with scripted(says(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nsecret-person")) as url:
        with pytest.raises(OutcomeUnknown) as caught:
            transport.post(url, b"{}", {})
        assert "secret-person" not in str(caught.value)
        assert url.split("/")[2] not in str(caught.value)
