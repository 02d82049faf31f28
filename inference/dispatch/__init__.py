"""From the line to the engine and back: one cycle, its jobs and its writers. asyncio, no Django.

`dispatcher` is the cycle, `lifecycle` the way of one job, `supervisor` keeps the engine alive, `store` is
the port to the rows.
"""
