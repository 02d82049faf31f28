"""From the queue to the engine and back: one cycle and its writers. asyncio, no Django.

`dispatcher` is the cycle, `lifecycle` one generation's way from its arrival until it is recorded,
`active_generation` what is known of it meanwhile. `gate` decides whether anything may start, `supervisor`
keeps one engine alive, `hang_detection` tells one that hangs from one that is starved. `publisher` is the
write end of the stream log, `store` the port to the rows, `store_writers` write through it in batches.
"""
