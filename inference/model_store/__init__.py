"""Where models come from: the embedded one, a local directory, or a name on the hub.

Nothing here imports torch or vllm, except `convert`, which runs in a process of its own.
"""
