"""Files from outside as checked records: our own exports, ChatGPT's, Open WebUI's. Nothing is stored here."""
