"""`/v1`: the same model for programs, in OpenAI's wire shapes, through the same queue as the page.

`schemas` is the wire; `errors` its refusals; `auth` and `endpoint` what every view shares; `run` one
generation that lives as long as its request; `sse` the stream; the views are `chat`, `completions`,
`model_list`, `key_usage`, `openapi`. Imports accounts to generations; nobody imports it.
"""
