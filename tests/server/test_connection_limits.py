"""Half-open connections do not shut the door: more of them than there are file descriptors, on loopback."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_network

import httpx
import pytest

from chatsite.server.open_connections import OpenConnections, counted_address
from tests.support import site as sites
from tests.support.raw_http import connect, received, serves_visitors
from tests.support.waiting import PATIENCE_S, wait_until
from tests.support.websocket import frame

LOGIN = b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"

HALF_OPEN = {
    "nothing": b"",
    "a request line": b"GET / HTTP/1.1\r\n",
    "half a head": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: a",
    "half a body": LOGIN + b"Content-Length: 4000\r\n\r\nlogin=",
    "half a chunked body": LOGIN + b"Transfer-Encoding: chunked\r\n\r\nfff\r\nlogin=",
    "half a websocket": b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n",
}

half_open = pytest.mark.parametrize("begun", HALF_OPEN.values(), ids=HALF_OPEN.keys())

UPGRADE = (
    "GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    "Origin: http://127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@half_open
def test_more_half_open_connections_than_descriptors_shut_nobody_out(
    site: sites.Site, descriptors: int, begun: bytes
) -> None:
    with ExitStack() as stack:
        for count in range(2 * descriptors):
            try:
                stack.enter_context(connect(site, begun))
            except ConnectionError:  # it gave way while it was written to
                continue
            if count % 100 == 99:
                assert serves_visitors(site)
        assert serves_visitors(site)


@half_open
def test_a_request_that_trickles_is_ended_by_its_deadline(site: sites.Site, begun: bytes) -> None:
    """A byte every moment keeps nothing open."""
    answer = bytearray()
    with connect(site, begun) as connection:
        connection.settimeout(0.05)

        def ended() -> bool:
            try:
                connection.sendall(b"a")
                part = connection.recv(4_096)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            answer.extend(part)
            return not part

        wait_until(ended)
    assert not answer or answer.startswith(b"HTTP/1.1 40")


def test_a_connection_between_two_requests_lives_on(site: sites.Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False, timeout=PATIENCE_S) as client:
        first = client.get("/healthz").extensions["network_stream"]
        with connect(site, HALF_OPEN["half a head"]) as other:
            received(other)  # a whole deadline has passed
        assert client.get("/healthz").extensions["network_stream"] is first


def test_who_is_being_served_does_not_give_way(site: sites.Site, descriptors: int) -> None:
    """A socket of an open page, beside more half-open connections than there is room for."""
    (cookie,) = site.people(1)
    with connect(site, UPGRADE.format(port=site.port, cookie=cookie).encode()) as page, ExitStack() as stack:
        assert page.recv(65_536).startswith(b"HTTP/1.1 101")
        for _ in range(descriptors):
            stack.enter_context(connect(site))
        page.sendall(frame(0x1, b'{"type":"ping"}'))
        seen = b""
        while b'"pong"' not in seen:
            part = page.recv(65_536)
            assert part, "the socket was closed"
            seen += part


class HalfOpen:
    """A connection that waits, as the table sees it."""

    def __init__(self, table: OpenConnections, host: str) -> None:
        self.table, self.dropped = table, False
        table.enter(self, host)
        table.wait(self, self)

    def drop(self) -> None:
        self.dropped = True
        self.table.leave(self)


@pytest.fixture
def table(settings) -> OpenConnections:
    settings.MAX_CONNECTIONS_PER_ADDRESS = 3
    return OpenConnections(8)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"])
def test_the_longest_waiting_of_an_address_gives_way(table: OpenConnections, host: str) -> None:
    held = [HalfOpen(table, host) for _ in range(3)]
    other = HalfOpen(table, "198.51.100.9")
    assert table.admit(host)
    assert [one.dropped for one in held] == [True, False, False]
    assert not other.dropped


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"])
def test_an_address_whose_connections_are_all_served_gets_no_more(table: OpenConnections, host: str) -> None:
    held = [HalfOpen(table, host) for _ in range(3)]
    for one in held:
        table.busy(one)
    assert not table.admit(host)
    assert table.admit("198.51.100.9"), "another one does"
    table.leave(held[0])
    assert table.admit(host)


def test_a_full_process_drops_whoever_waits_longest_wherever_from(table: OpenConnections) -> None:
    held = [HalfOpen(table, f"192.0.2.{number}") for number in range(8)]
    assert table.admit("198.51.100.9")
    assert [one.dropped for one in held] == [True] + 7 * [False]


@pytest.mark.parametrize("host", ["10.1.2.3", "10.0.0.1", ""])
def test_a_trusted_proxy_or_local_socket_has_no_cap_of_its_own(
    settings, table: OpenConnections, host: str
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    held = [HalfOpen(table, host) for _ in range(7)]
    for one in held:
        table.busy(one)
    assert table.admit(host)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
    ],
)
def test_an_ipv6_network_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (counted_address(one) == counted_address(other)) is same
