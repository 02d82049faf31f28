"""Documents: upload, reading in a limited process, their place in prompts, their end."""
