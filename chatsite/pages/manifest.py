"""The web app manifest, which makes the site installable on phones and desktops."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.views.decorators.http import require_safe

ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512", "icon.svg": "any"}


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Names, colours of the light theme, icons."""
    content = {
        "name": "chatsite",
        "short_name": "chatsite",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#fdfdfb",
        "theme_color": "#fdfdfb",
        "icons": [
            {
                "src": static(name),
                "sizes": sizes,
                "type": "image/svg+xml" if name.endswith("svg") else "image/png",
            }
            for name, sizes in ICONS.items()
        ],
    }
    return HttpResponse(msgspec.json.encode(content), content_type="application/manifest+json")
