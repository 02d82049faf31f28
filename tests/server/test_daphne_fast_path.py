"""Frames and parts that go straight to the connection: whole, in order, and never past what waits."""

import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.tcp import Connection

from chatsite.server.daphne_fast_path import FastPathRequest, FastPathWebSocket, text_frame


class Wire(Connection):
    """A connection whose kernel takes `room` bytes at a time."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""
        self.connected = True
        self.disconnecting = False
        self.dataBuffer = b""
        self.offset = 0
        self._tempDataBuffer: list[bytes] = []
        self._tempDataLen = 0

    def writeSomeData(self, data: bytes) -> int:
        done = data[: self.room]
        self.taken += done
        self.room -= len(done)
        return len(done)

    def write(self, data: bytes) -> None:
        self._tempDataBuffer.append(data)
        self._tempDataLen += len(data)


def protocol(wire: Wire) -> FastPathWebSocket:
    bare = FastPathWebSocket.__new__(FastPathWebSocket)
    bare.__dict__.update(
        transport=wire, state=FastPathWebSocket.STATE_OPEN, send_queue=[], _perMessageCompress=None,
        client_addr=None, server_class=None, trackedTimings=None, logFrames=False, logOctets=False,
        trafficStats=SimpleNamespace(), maxMessagePayloadSize=0,
    )  # fmt: skip
    return bare


@given(st.binary(max_size=200_000))
def test_a_frame_carries_its_length_and_its_payload(payload: bytes):
    frame = text_frame(payload)
    assert frame[0] == 0x81, "final, text"
    size, start = frame[1], 2
    if size == 126:
        (size,), start = struct.unpack_from("!H", frame, 2), 4
    elif size == 127:
        (size,), start = struct.unpack_from("!Q", frame, 2), 10
    assert (size, frame[start:]) == (len(payload), payload)


@pytest.mark.parametrize("room", [0, 1, 7, 1_000])
def test_what_the_kernel_does_not_take_is_buffered(room: int):
    wire = Wire(room)
    protocol(wire).serverSend("one")
    assert wire.taken + b"".join(wire._tempDataBuffer) == text_frame(b"one")


@pytest.mark.parametrize("state", [FastPathWebSocket.STATE_CLOSING, FastPathWebSocket.STATE_CLOSED])
@pytest.mark.parametrize("room", [0, 1_000])
def test_what_comes_for_a_socket_that_closes_is_dropped(state: int, room: int):
    wire = Wire(room)
    socket = protocol(wire)
    socket.state = state
    socket.serverSend("one")
    assert wire.taken + b"".join(wire._tempDataBuffer) == b""


def test_nothing_overtakes_what_is_buffered(monkeypatch: pytest.MonkeyPatch):
    wire = Wire(room=2)
    later: list[str] = []
    monkeypatch.setattr(
        FastPathWebSocket.__mro__[1], "serverSend", lambda _self, text, _binary: later.append(text)
    )
    socket = protocol(wire)
    socket.serverSend("one")
    wire.room = 1_000
    socket.serverSend("two")
    assert later == ["two"]
    assert len(wire.taken) == 2


def test_an_error_is_left_to_twisted():
    wire = Wire(room=0)
    wire.writeSomeData = lambda data: OSError("gone")
    protocol(wire).serverSend("one")
    assert wire._tempDataBuffer == [text_frame(b"one")]


def request(wire: Wire) -> FastPathRequest:
    bare = FastPathRequest.__new__(FastPathRequest)
    bare.__dict__.update(
        channel=SimpleNamespace(transport=wire, writeSequence=lambda parts: wire.write(b"".join(parts))),
        startedWriting=1, chunked=1, finished=0, method=b"GET", sentLength=0, _response_started=True,
        _disconnected=False, client_addr=None,
    )  # fmt: skip
    return bare


def part(body: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": more}


@pytest.mark.parametrize("room", [0, 1, 7, 1_000])
def test_a_part_is_a_chunk_and_what_the_kernel_does_not_take_is_buffered(room: int):
    wire = Wire(room)
    request(wire).handle_reply(part(b"0123456789abcdef"))
    assert wire.taken + b"".join(wire._tempDataBuffer) == b"10\r\n0123456789abcdef\r\n"


def test_no_part_overtakes_what_is_buffered():
    wire = Wire(room=2)
    slow = request(wire)
    slow.handle_reply(part(b"one"))
    wire.room = 1_000
    slow.handle_reply(part(b"two"))
    assert wire.taken + b"".join(wire._tempDataBuffer) == b"3\r\none\r\n3\r\ntwo\r\n"
    assert len(wire.taken) == 2


def test_an_empty_part_is_not_taken_for_the_end_of_the_stream():
    wire = Wire(room=1_000)
    request(wire).handle_reply(part(b""))
    assert wire.taken + b"".join(wire._tempDataBuffer) == b""


def test_a_reader_that_has_gone_is_written_nothing():
    wire = Wire(room=1_000)
    gone = request(wire)
    gone.channel = None
    gone.handle_reply(part(b"one"))
    assert wire.taken == b""
