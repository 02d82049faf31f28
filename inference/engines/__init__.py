"""The engine port (`base`) and its adapters: `vllm`, `remote`, `emulated`. No Django in here."""
