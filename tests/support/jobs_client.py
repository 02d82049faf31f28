"""A browser that starts jobs, sends files in and fetches what was made."""

from __future__ import annotations

import json

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, path: str, content: object):
    return client.post(path, json.dumps(content), content_type="application/json")


def fetched(user, id: str) -> bytes:
    """The file of a job, streamed as the server streams it."""

    async def get() -> bytes:
        client = AsyncClient()
        await client.aforce_login(user)
        response = await client.get(f"/api/archive/{id}/file")
        assert response.status_code == 200, response.content
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(get)()


def send(client: Client, content: bytes, part: int = 10**6) -> dict:
    """Import a file as the page does."""
    job = post(client, "/api/archive/imports", {"size": len(content)}).json()
    for offset in range(0, len(content), part):
        answer = client.put(
            f"/api/archive/{job['id']}/data?offset={offset}",
            content[offset : offset + part],
            content_type="application/octet-stream",
        )
        assert answer.status_code == 200, answer.content
    return client.get(f"/api/archive/{job['id']}").json()
