"""Read export files (our own, ChatGPT's, Open WebUI's) as validated records. Nothing is stored here."""
