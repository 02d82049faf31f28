"""The page's import map as the file server of the tests serves it."""

from __future__ import annotations

import json
import re

from tests.support.source import ROOT

STATIC_TAG = re.compile(r"\{% static '([^']+)' %\}")


def import_map() -> str:
    """The import map, with addresses of the file server."""
    shell = (ROOT / "templates/importmap.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="importmap"[^>]*>(.*?)</script>', shell, re.DOTALL)
    assert found
    return json.dumps(json.loads(STATIC_TAG.sub(r"/static/\1", found[1])))
