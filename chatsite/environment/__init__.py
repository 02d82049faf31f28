"""The process's environment: every setting declared and checked, the data directory and the secret key.

Read before Django is configured, by `chatsite/settings.py` and by whatever starts a process.
"""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
"""The installed code: static files and templates lie below it."""
