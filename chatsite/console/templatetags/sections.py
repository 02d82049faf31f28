"""The console's sidebar for templates, the section that is open, and icons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatsite.console.sections import GROUPS, Section, SectionGroup, section_at, tabs_of

register = template.Library()


@dataclass(frozen=True)
class OpenSection:
    """The section that the page belongs to. `entry`: its name in the sidebar; `is_list`: its first page."""

    section: Section
    entry: str
    tabs: list[Section]
    is_list: bool


@register.simple_tag
def section_groups() -> list[SectionGroup]:
    """The groups of which there is something to show."""
    return [group for group in GROUPS if group.entries]


@register.simple_tag(takes_context=True)
def open_section(context: dict[str, Any]) -> OpenSection | None:
    """The section of this page's address; None outside of all."""
    path = context["request"].path if "request" in context else ""
    section = section_at(path)
    if section is None:
        return None
    return OpenSection(section, section.tab_of or section.name, tabs_of(section), path == section.url)


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """One of static/console/icons.svg, hidden from screen readers: what is around it carries the label."""
    return format_html(
        '<svg class="icon" width="{0}" height="{0}" aria-hidden="true"><use href="{1}#{2}"></use></svg>',
        size, static("console/icons.svg"), name,
    )  # fmt: skip
