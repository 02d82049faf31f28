"""Template tag that sets `autofocus` on a field of a form."""

from __future__ import annotations

from django import template
from django.forms import BaseForm, BoundField

register = template.Library()


@register.simple_tag
def focus(form: BaseForm | None) -> str:
    """Give one field `autofocus`: the first wrong one, the password where it was refused, else the first."""
    fields = [field for field in form.visible_fields() if not field.field.disabled] if form else []
    if fields:
        _wanted(form, fields).field.widget.attrs["autofocus"] = True  # type: ignore[arg-type]
    return ""


def _wanted(form: BaseForm, fields: list[BoundField]) -> BoundField:
    wrong = [field for field in fields if field.errors]
    refused = [field for field in fields if field.widget_type == "password" and form.non_field_errors()]
    return (wrong or refused or fields)[0]
