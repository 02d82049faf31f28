"""The console's sections for templates, with the one that is open."""

from __future__ import annotations

from typing import Any

from django import template

from chatsite.console.sections import SECTIONS, Section

register = template.Library()


@register.simple_tag(takes_context=True)
def sections(context: dict[str, Any]) -> list[tuple[Section, bool]]:
    """Each section, and whether this page belongs to it."""
    path = context["request"].path if "request" in context else ""
    return [(section, path.startswith(section.url)) for section in SECTIONS]
