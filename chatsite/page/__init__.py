"""The chat page: its shell, and the JSON that it fetches. Nobody imports it."""
