"""Choices of rows in the console's forms that take whatever is posted: Django's own ask the database for any
text as if it were a key, and an error of the database or of int() is then the server's.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import (
    AutocompleteSelect,
    AutocompleteSelectMultiple,
    RelatedFieldWidgetWrapper,
)
from django.core.exceptions import ValidationError
from django.db.models import IntegerField, Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

MAX_DIGITS = 18
"""Each number of so many is one that a key's column holds."""


def is_key_of(model: type[Model], value: str) -> bool:
    """Whether a posted value can be the key of this model's rows."""
    key = model._meta.pk
    assert key is not None
    if isinstance(key, IntegerField):
        return is_row_id(value)
    try:
        key.to_python(value)
    except ValidationError:
        return False
    return True


def is_row_id(value: object) -> bool:
    """Whether a posted value can be the key of a row."""
    text = str(value)
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


class RowsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Several rows; what can be no key is refused as one that is not there is."""

    def clean(self, value: Any) -> Any:
        for one in value or ():
            if not is_row_id(one):
                raise ValidationError(
                    self.error_messages["invalid_pk_value"],
                    code="invalid_pk_value",
                    params={"pk": str(one)[:MAX_DIGITS]},
                )
        return super().clean(value)


class RowSelect(AutocompleteSelect):
    """Shows what is chosen; the field says what is wrong with anything else."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if is_row_id(one)], attrs)


class RowsSelect(AutocompleteSelectMultiple):
    """The same for several."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if is_row_id(one)], attrs)


class RelatedChoices:
    """A ModelAdmin whose autocompleted fields are of these kinds, and whose actions take no other keys.

    Fields offer to add a row there, not to change or delete one. Before ModelAdmin in the list of bases.
    """

    admin_site: Any
    model: type[Model]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        widget = getattr(field, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget.can_change_related = widget.can_delete_related = widget.can_view_related = False
        return field

    def get_action_choices(self, request: HttpRequest, default_choices: Any = None) -> Any:
        """Ask for an action in words where none is chosen."""
        return super().get_action_choices(request, [("", _("Choose an action"))])  # type: ignore[misc]

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """What can be no key selects no row, like the key of a row that is not there."""
        form = request.POST.copy()
        chosen = [one for one in form.getlist(ACTION_CHECKBOX_NAME) if is_key_of(self.model, one)]
        form.setlist(ACTION_CHECKBOX_NAME, chosen)
        request.POST = form  # type: ignore[assignment]
        answer: HttpResponse | None = super().response_action(request, *args, **kwargs)  # type: ignore[misc]
        return answer

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs.setdefault("widget", RowSelect(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs.setdefault("widget", RowsSelect(db_field, self.admin_site))
        return super().formfield_for_manytomany(db_field, request, form_class=RowsField, **kwargs)  # type: ignore[misc]
