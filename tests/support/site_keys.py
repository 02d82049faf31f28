"""Make API keys on a site's database: one an owner.

`python -m tests.support.site_keys COUNT FIRST` prints them as JSON.
Runs in a process of its own with the site's environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.errors import BenchmarkError
from tests.support.source import ROOT

if TYPE_CHECKING:
    from tests.support.site import Site


def make(count: int, first: int) -> list[str]:
    """A key with every scope for each member from number `first` on; who is missing is made."""
    from chatsite.accounts.keys import do_create_key
    from chatsite.accounts.models import ApiKey, User

    texts = []
    for number in range(first, first + count):
        user, _ = User.objects.get_or_create(email=f"program{number}@bench.invalid")
        texts.append(do_create_key(user.pk, "bench", ApiKey.Scope.values)[1])
    return texts


def of(site: Site, count: int, first: int = 0) -> list[str]:
    """Keys on this running site, of owners number `first` on. Raises BenchmarkError."""
    command = [sys.executable, "-m", "tests.support.site_keys", str(count), str(first)]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"keys could not be made: {done.stderr.decode(errors='replace')[-2000:]}")
    keys: list[str] = json.loads(done.stdout)
    return keys


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    from django.db import transaction

    with transaction.atomic():
        print(json.dumps(make(int(sys.argv[1]), int(sys.argv[2]))))
