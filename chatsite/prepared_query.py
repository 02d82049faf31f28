"""Prepared queries: the SQL of a query of the ORM, built once and run with other values each time.

For the look-ups that every question makes. Building a statement costs Django many times what running it does.
What a query looks for stays written as conditions of the ORM, which the list of access checks reads
(docs/decisions/0072).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)


class Parameter(Expression):
    """Stands in a condition for the value of this name. `field`: how the database stores it."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class _Statement(NamedTuple):
    """What the ORM made of a query: the text, its values and parameters in order, how its rows are read."""

    sql: str
    values: Sequence[Any]
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    model: type[Model]
    names: Sequence[str]
    columns: slice
    related: Sequence[Any]


class PreparedQuery(Generic[M]):
    """`build` gets a Parameter for each of `fields`, and makes a queryset of instances with them: no values,
    no annotations. It is called once, when the query first runs."""

    _prepared: ClassVar[dict[PreparedQuery[Any], _Statement]] = {}

    def __init__(self, build: Callable[..., QuerySet[M]], **fields: Field[Any, Any]) -> None:
        self._build = build
        self._fields = fields

    @classmethod
    def forget(cls) -> None:
        """Build every statement anew, for tests that change what it is built of."""
        cls._prepared.clear()

    def first(self, **values: Any) -> M | None:
        """An instance that fits, in no order; None where there is none."""
        statement = self._prepared.get(self)
        if statement is None:
            statement = self._prepared[self] = self._statement()
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, [self._value(one, values) for one in statement.values])
            row = cursor.fetchone()
        return None if row is None else self._instance(statement, list(row))

    def _statement(self) -> _Statement:
        found = self._build(**{name: Parameter(name, field) for name, field in self._fields.items()})
        compiler = found.order_by()[:1].query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        converters = compiler.get_converters([expression for expression, _, _ in compiler.select])
        info: Any = compiler.klass_info
        indexes = info["select_fields"]
        return _Statement(
            sql,
            values,
            [(index, convert, expression) for index, (convert, expression) in converters.items()],
            found.model,
            [compiler.select[index][0].target.attname for index in indexes],
            slice(indexes[0], indexes[-1] + 1),
            get_related_populators(info, compiler.select, found.db),  # type: ignore[call-arg]
        )

    def _value(self, one: Any, values: dict[str, Any]) -> Any:
        if not isinstance(one, Parameter):
            return one
        return self._fields[one.name].get_db_prep_value(values[one.name], connection)

    def _instance(self, statement: _Statement, row: list[Any]) -> M:
        for index, converters, expression in statement.converters:
            for convert in converters:
                row[index] = convert(row[index], expression, connection)
        made: Any = statement.model.from_db(connection.alias, statement.names, row[statement.columns])
        for populator in statement.related:
            populator.populate(row, made)
        return made  # type: ignore[no-any-return]
