"""The vLLM engine: adapter of the engine port around a child process, which alone imports vllm.

`engine` is the parent's side of the socket, `settings` how vLLM runs, `host_log` forwards what the child
prints to the log. `host` is the child.
"""
