"""The engine host: a child process around vLLM's AsyncLLM, and the only code that imports vllm.

`wire` is what both ends speak, `labour` what both look at; neither imports anything heavy. `process` is the
child's entry point. The others belong to the child alone; inference/engines/vllm.py is the parent's side.
"""
