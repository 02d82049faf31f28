"""The engine host: a child process around vLLM's AsyncLLM, and the only code that imports vllm.

`wire` is what both ends speak and imports nothing heavy; `process` is the child's entry point. The
other modules belong to the child alone; inference/engines/vllm.py, on the parent's side, imports `wire`.
"""
