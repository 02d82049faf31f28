"""The remote engine: OpenAI-compatible vLLM servers elsewhere, one or several with the same model.

`engine` adapts them to the engine port, `pool` knows which servers live and assigns their slots, `server` is
the HTTP client of one, `in_flight_request` is one request at a server. Pure are `chat` and `server_metrics`
(the formats), `routing` (which server) and `control_tokens` (user text stays text).
"""
