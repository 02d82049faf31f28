"""Sockets of these tests too have an event loop each."""

from tests.streaming.conftest import clients_of_this_loop

__all__ = ["clients_of_this_loop"]
