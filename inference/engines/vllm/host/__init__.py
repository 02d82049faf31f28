"""The engine host: a child process around vLLM's AsyncLLM, and the only code that imports vllm.

`wire` is the protocol of both ends and `cpu_time` is read by both; neither imports anything heavy. `process`
is the child's entry point, `grammar_gate` checks schemas in `grammar_process` first. The other modules run in
the child alone; `inference.engines.vllm.engine` is the parent's side.
"""
