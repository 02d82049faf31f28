"""The websocket consumer of one tab: frames in, frames out. It holds no answer and owns no engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from chatsite import metrics
from chatsite.accounts.sessions import check_session
from chatsite.accounts.socket_events import notify_user, user_group
from chatsite.backends import presence, status_store
from chatsite.conversations.change_events import notify_changed
from chatsite.conversations.content import MAX_CONTENT_CHARS
from chatsite.database import read, write
from chatsite.errors import Refusal
from chatsite.generations.access import active_generations
from chatsite.generations.cancel import do_cancel
from chatsite.generations.models import Generation
from chatsite.generations.submit import (
    Ask,
    Prepared,
    do_store,
    prepare_regenerate,
    prepare_submit,
    submitted_before,
)
from chatsite.generations.wakeup import notify_worker
from chatsite.quotas.plans import limits_of
from chatsite.ratelimit import FrameBucket, check_rate
from chatsite.server.backpressure import outlet_of
from chatsite.server.client_address import address_of_scope
from chatsite.streaming.announcements import current_announcement_frame
from chatsite.streaming.budget_events import BudgetEvents
from chatsite.streaming.engine_status import engine_status
from chatsite.streaming.follower import Follower, SocketOutlet
from chatsite.streaming.frames import (
    VERSION,
    Accepted,
    Active,
    Announcement,
    Cancel,
    Changed,
    ClientFrames,
    Error,
    Follow,
    Hello,
    Params,
    Ping,
    Pong,
    Regenerate,
    Rejected,
    ServerFrame,
    Submit,
)
from chatsite.streaming.open_sockets import sockets
from inference.request import Sampling
from inference.status import current_status

log = structlog.get_logger(__name__)

NOT_SIGNED_IN, DEACTIVATED, TOO_MANY = 4401, 4403, 4429

FRAMES_PER_S, FRAMES_AT_ONCE = 20, 100
"""A person makes one or two frames a second; reconnecting with many streams makes dozens at once."""

FLOOD_FRAMES = 200
"""Refused frames in a row after which the socket is closed: nobody types that."""

MAX_FOLLOWED = 50
"""Streams one tab may follow at once; more than a person may have active, and bounded."""

_LONE_SURROGATE = re.compile(
    r"[\ud800-\udfff]|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f][0-9a-f]{2}",
    re.IGNORECASE,
)
"""Half of a UTF-16 pair, spelled out or not: JSON can spell it, Unicode text cannot hold it."""

_decoder = msgspec.json.Decoder(ClientFrames)
_encode = msgspec.json.Encoder().encode


class ChatConsumer(AsyncWebsocketConsumer):
    """Parse → access → action → answer. Each followed stream is one task, so Stop never waits behind text."""

    async def connect(self) -> None:
        self.followers: dict[UUID, tuple[Follower, asyncio.Task[None]]] = {}
        self.bucket = FrameBucket(FRAMES_PER_S, FRAMES_AT_ONCE)
        self.asked: dict[UUID, UUID] = {}
        self.outlet = SocketOutlet(self.send_frame, outlet_of(self.scope["outer_send"]))
        self.user_id = 0
        await self.accept()  # a close code reaches the page only on an accepted socket
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(NOT_SIGNED_IN)
            return
        most = settings.MAX_SOCKETS_PER_USER
        if len(sockets) >= settings.MAX_SOCKETS or not await presence().enter(
            user.pk, self.channel_name, most
        ):
            await self.close(TOO_MANY)
            return
        self.user_id = user.pk
        self.budgets = BudgetEvents(self.user_id, self.send_frame)
        try:
            await self.channel_layer.group_add(user_group(self.user_id), self.channel_name)
            await self._hello()
            await self.budgets.refresh()
        except Refusal:
            await self.end_session()
            return
        except BaseException:
            await presence().leave(self.user_id, self.channel_name)
            raise
        sockets.join(self)

    async def disconnect(self, code: int) -> None:
        sockets.leave(self)
        for _, task in self.followers.values():
            task.cancel()
        if self.user_id:
            self.budgets.close()
            await presence().leave(self.user_id, self.channel_name)
            await self.channel_layer.group_discard(user_group(self.user_id), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.user_id:
            return
        if not self.bucket.take():
            await self._refuse_flood()
            return
        try:
            frame = decode_frame(text_data)
            await self._serve(frame)
        except Refusal as refusal:
            await self._error(refusal)

    async def send_frame(self, frame: ServerFrame) -> None:
        """One frame as one text message, past the layers that look at HTTP answers alone."""
        await self.scope["outer_send"]({"type": "websocket.send", "text": _encode(frame).decode()})

    # --- what the frames do ---------------------------------------------------------------------

    async def _serve(self, frame: Any) -> None:
        match frame:
            case Submit(id, content, conversation, parent, params, preset, temporary, documents):
                question = (content, conversation, parent, preset, temporary, documents)
                await self._ask(id, params, lambda ask: prepare_submit(ask, *question))
            case Regenerate(id, message, params):
                await self._ask(id, params, lambda ask: prepare_regenerate(ask, message))
            case Cancel(generation):
                if await write(do_cancel, self.user_id, generation):
                    await notify_worker("cancelled", generation)
            case Follow(generation, after):
                self._follow(generation, after)
            case Ping():
                await self.send_frame(Pong())

    async def _ask(self, client_id: UUID, params: Params | None, prepare: Callable[[Ask], Prepared]) -> None:
        status = await current_status(status_store())
        ask = Ask(
            user=self.user_id,
            client_id=client_id,
            sampling=sampling_from(params),
            context_tokens=status.info.context_tokens if status.info else 0,
            model=status.info.model if status.info else "",
            retry_after_s=status.retry_after_s,
            refused_for_s=status.refused_for_s,
        )
        try:
            done = await write(do_store, await read(self._checked, ask, prepare))
        except Refusal as refusal:
            metrics.frames_rejected.labels(refusal.code).inc()
            await self.send_frame(
                Rejected(
                    client_id,
                    refusal.code,  # type: ignore[arg-type]
                    refusal.message,
                    refusal.retry_after_s,
                    refusal.needed,
                    refusal.most,
                )
            )
            return
        await self.send_frame(
            Accepted(
                client_id,
                done.conversation,
                done.message,
                done.answer,
                done.generation,
                done.first_message,
            )
        )
        self._follow(done.generation, 0, fresh=done.created)
        if done.created:
            self.asked[done.generation] = done.conversation
            await notify_worker("queued", done.generation)
            await self._tell_other_tabs(done.conversation)
            await self.budgets.send(done.budgets)

    def _checked(self, ask: Ask, prepare: Callable[[Ask], Prepared]) -> Prepared:
        """The account may have changed since the socket opened: checked at each question.

        A question that is known already is answered as such, however many were asked meanwhile.
        """
        account = check_session(self.scope["session"], self.user_id)
        limits = limits_of(self.user_id)
        try:
            check_rate(
                self.user_id,
                is_staff=account.is_staff,
                per_minute=limits.requests_per_minute,
                address=address_of_scope(self.scope),
            )
        except Refusal:
            if known := submitted_before(ask):
                return known
            raise
        return prepare(replace(ask, limits=limits))

    def _follow(self, generation: UUID, after: int, *, fresh: bool = False) -> None:
        if generation in self.followers and not self.followers[generation][1].done():
            self.followers[generation][0].acknowledge(after)
            return
        if len(self.followers) >= MAX_FOLLOWED:
            raise Refusal("bad_frame", f"At most {MAX_FOLLOWED} streams are followed on one socket.")
        follower = Follower(self.user_id, generation, after, self.outlet, fresh=fresh)
        task = asyncio.create_task(self._run_follower(generation, follower))
        self.followers[generation] = (follower, task)

    async def _run_follower(self, generation: UUID, follower: Follower) -> None:
        try:
            await follower.run()
        except Refusal as refusal:
            await self._error(refusal)
        except Exception:
            # The page follows again from its cursor: nothing is lost, and the cause is in the log.
            log.exception("follower_failed", generation=str(generation))
            await self._error(Refusal("engine_unavailable", "The stream broke; it will be resumed."))
        finally:
            self.followers.pop(generation, None)
        await self._tell_ended(generation)

    # --- what comes from elsewhere --------------------------------------------------------------

    async def conversation_changed(self, event: dict[str, str]) -> None:
        """Another tab or device of this person changed a conversation."""
        if event.get("by") != self.channel_name:
            await self.send_frame(Changed(UUID(event["conversation"])))
            self.budgets.look_soon()

    async def quota_changed(self, event: dict[str, str]) -> None:
        """An answer of this person was settled, or an administrator changed what they may use."""
        self.budgets.look_soon(always=True)

    async def account_closed(self, event: dict[str, str]) -> None:
        """The account was deactivated or its sessions ended."""
        await self.close(DEACTIVATED)

    async def sessions_ended(self, event: dict[str, str]) -> None:
        """Some sessions of this person were signed out from another one; this may be one of them."""
        try:
            await read(check_session, self.scope["session"], self.user_id)
        except Refusal:
            await self.end_session()

    async def end_session(self) -> None:
        """Nobody is signed in here any more."""
        await self.close(NOT_SIGNED_IN)

    async def _tell_other_tabs(self, conversation: UUID) -> None:
        await notify_changed(self.user_id, [conversation], by=self.channel_name)

    async def _tell_ended(self, generation: UUID) -> None:
        """An answer has ended: the tab that asked tells the others."""
        conversation = self.asked.pop(generation, None)
        if conversation is None:
            return
        await self._tell_other_tabs(conversation)
        if self.budgets.limited:
            await notify_user(self.user_id, "quota.changed")

    # --- answers --------------------------------------------------------------------------------

    async def _hello(self) -> None:
        """Raises Refusal where the session ended after the handshake, when nobody could be told."""
        status = await current_status(status_store())
        jobs, self.announced = await read(self._at_first)
        active = tuple(active_frame(job) for job in jobs)
        await self.send_frame(
            Hello(VERSION, engine_status(status), MAX_CONTENT_CHARS, active, self.announced)
        )

    def _at_first(self) -> tuple[list[Generation], Announcement | None]:
        check_session(self.scope["session"], self.user_id)
        return list(active_generations(self.user_id)[:MAX_FOLLOWED]), current_announcement_frame()

    async def _error(self, refusal: Refusal) -> None:
        metrics.frames_rejected.labels(refusal.code).inc()
        await self.send_frame(Error(refusal.code, refusal.message))  # type: ignore[arg-type]

    async def _refuse_flood(self) -> None:
        """Answers the first refused frame of a flood; the rest only counts, so that nothing floods back."""
        if self.bucket.refused == 1:
            await self._error(Refusal("rate_limited", f"More than {FRAMES_PER_S} frames a second."))
        elif self.bucket.refused >= FLOOD_FRAMES:
            await self.close(TOO_MANY)


def active_frame(job: Generation) -> Active:
    return Active(job.id, job.conversation_id, job.answer_id)


def sampling_from(params: Params | None) -> Sampling:
    """What the person chose over the site's defaults."""
    return msgspec.convert(msgspec.to_builtins(params), Sampling) if params else Sampling()


def decode_frame(text: str | None) -> Any:
    """One client frame. Raises Refusal `bad_frame`; `forbidden_text` for what is no Unicode text."""
    if text is None:
        raise Refusal("bad_frame", "Frames are JSON text; this was binary.")
    try:
        return _decoder.decode(text)
    except RecursionError as error:
        raise Refusal("bad_frame", "The frame is nested too deeply.") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        if _LONE_SURROGATE.search(text):
            raise Refusal("forbidden_text", "The text holds a lone surrogate: half a character.") from error
        raise Refusal("bad_frame", f"The frame was not understood: {error}.") from error
