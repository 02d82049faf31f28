"""The ASGI edge, between Daphne and the views: handlers, backpressure, static files. Knows no table."""
