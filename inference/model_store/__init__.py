"""The model's files: a demonstration model, a local directory, or a name on the hub.

`source` resolves VLLM_MODEL and finds the files. Of the demonstration models `demo_models` is the list,
`demo_choice` chooses, `demo_files` finds the file (`hub_download`, `index_download`), `embedded` prepares it.
Nothing here imports torch or vllm, except `convert`, which runs in a process of its own.
"""
