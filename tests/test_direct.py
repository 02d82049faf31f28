"""Frames and parts that go straight to the connection: whole, in order, and never past what waits."""

import struct
from tempfile import TemporaryFile
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.tcp import Connection

from chatsite.direct import DirectRequest, DirectWebSocket, text_frame


class Wire(Connection):
    """A connection whose kernel takes `room` bytes at a time."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""
        self.connected = True
        self.disconnecting = False
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []

    def writeSomeData(self, data: bytes) -> int:
        done = data[: self.room]
        self.taken += done
        self.room -= len(done)
        return len(done)

    def write(self, data: bytes) -> None:
        self._tempDataBuffer.append(data)


def protocol(wire: Wire) -> DirectWebSocket:
    bare = DirectWebSocket.__new__(DirectWebSocket)
    bare.__dict__.update(
        transport=wire, state=DirectWebSocket.STATE_OPEN, send_queue=[], _perMessageCompress=None,
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


def test_nothing_overtakes_what_is_buffered(monkeypatch: pytest.MonkeyPatch):
    wire = Wire(room=2)
    later: list[str] = []
    monkeypatch.setattr(
        DirectWebSocket.__mro__[1], "serverSend", lambda _self, text, _binary: later.append(text)
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


def request(wire: Wire) -> DirectRequest:
    bare = DirectRequest.__new__(DirectRequest)
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


@pytest.mark.parametrize(("sent", "read"), [(0, 0), (9, 9), (4_194_304, 4_194_304), (9_000_000, 4_194_305)])
def test_no_more_of_a_body_is_read_than_shows_that_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch, sent: int, read: int
):
    handed: list[bytes] = []
    monkeypatch.setattr(
        DirectRequest.__mro__[1], "process", lambda request: handed.append(request.content.read())
    )
    request = DirectRequest.__new__(DirectRequest)
    with TemporaryFile() as request.content:
        request.content.write(b"x" * sent)
        request.process()
    assert handed == [b"x" * read]
