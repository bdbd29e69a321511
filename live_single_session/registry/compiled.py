"""Statements whose SQL is built once, since building it costs more than running it."""

from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.expressions import Col, RawSQL
from django.db.models.sql import InsertQuery, UpdateQuery


@dataclass(frozen=True)
class Parameter:
    """A place in a statement for a value that each call gives, as this field takes it."""

    name: str
    field: Any


def parameter(name: str, field: Any, sql: str = "%s") -> RawSQL:
    """Return what stands in a queryset for a value that each call gives."""
    return RawSQL(sql, [Parameter(name, field)])  # noqa: S611 - the SQL holds no value


@dataclass(frozen=True)
class Statement:
    """SQL that must not contain what changes from call to call but in its parameters."""

    using: str
    sql: str
    params: tuple[Any, ...] = field(repr=False)

    def run(self, values: dict[str, Any]) -> None:
        """Run it.

        Args:
            values: one for each parameter.
        """
        connection = connections[self.using]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._prepared(values, connection))

    def _prepared(self, values: dict[str, Any], connection: Any) -> list[Any]:
        return [
            part.field.get_db_prep_save(values[part.name], connection)
            if isinstance(part, Parameter)
            else part
            for part in self.params
        ]


@dataclass(frozen=True)
class Select(Statement):
    """Reads a queryset.

    Attributes:
        columns: what it selects: fields of the model, then annotations.
        names: what they are called.
    """

    queryset: QuerySet[Any] = field(repr=False)
    columns: tuple[Any, ...] = field(repr=False)
    names: tuple[str, ...]

    @classmethod
    def of(cls, queryset: QuerySet[Any]) -> "Select":
        """Compile a queryset."""
        compiler = queryset.query.get_compiler(queryset.db)
        sql, params = compiler.as_sql()
        columns = tuple(column for column, _, _ in compiler.select)
        names = tuple(alias or column.target.attname for column, _, alias in compiler.select)
        return cls(queryset.db, sql, tuple(params), queryset, columns, names)

    def fetch(self, values: dict[str, Any]) -> list[Any]:
        """Return the instances that are found.

        Args:
            values: one for each parameter.
        """
        connection = connections[self.using]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._prepared(values, connection))
            found = cursor.fetchall()
        # What converts belongs to this thread's connection, and is not kept.
        compiler = self.queryset.query.get_compiler(self.using)
        if converters := compiler.get_converters(self.columns):
            found = compiler.apply_converters(found, converters)
        fields = sum(isinstance(column, Col) for column in self.columns)
        return [self._instance(row, fields) for row in found]

    def _instance(self, row: Any, count: int) -> Any:
        instance = self.queryset.model.from_db(self.using, self.names[:count], row[:count])
        for name, value in zip(self.names[count:], row[count:], strict=True):
            setattr(instance, name, value)
        return instance


def update(queryset: QuerySet[Any], **changes: Any) -> Statement:
    """Compile an update; the changes are values or parameters."""
    query: Any = queryset.query.chain(UpdateQuery)
    query.add_update_values(changes)
    sql, params = query.get_compiler(queryset.db).as_sql()
    return Statement(queryset.db, sql, tuple(params))


def insert(model: type[Model], using: str) -> Statement:
    """Compile the insertion of one row, with a parameter for each of its columns."""
    fields = model._meta.concrete_fields
    row = model(**{field.attname: parameter(field.attname, field) for field in fields})
    query = InsertQuery(model)
    query.insert_values(fields, [row], raw=True)
    [(sql, params)] = query.get_compiler(using).as_sql()
    return Statement(using, sql, tuple(params))
