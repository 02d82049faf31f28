"""The server's words (`LC_MESSAGES`) and the shapes of dates and numbers (`formats`), by language."""
