#!/usr/bin/env python
"""The command line of chatsite: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    from django.core.management import execute_from_command_line

    from chatsite.environment.declared import told_in_lines
    from inference.management.preflight import preflight

    with told_in_lines():
        preflight(sys.argv[1] if len(sys.argv) > 1 else "help")
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
