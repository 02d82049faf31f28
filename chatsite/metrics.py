"""Prometheus metrics of the web tier, each described in docs/operations.md (held by a test)."""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge

__all__ = ["REGISTRY", "api_requests", "connections_refused", "frames_rejected", "websockets"]

websockets = Gauge("chatsite_websockets", "Open websockets of this process.")
frames_rejected = Counter("chatsite_frames_rejected_total", "Refused frames, by code.", ["code"])
api_requests = Counter("chatsite_api_requests_total", "Requests at /v1, by their status.", ["view", "status"])
connections_refused = Counter(
    "chatsite_connections_refused_total",
    "Connections and requests refused before any view, by reason.",
    ["reason"],
)
