"""Queries whose SQL is built once, since building a large one costs more than running it."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL


@dataclass(frozen=True)
class Parameter:
    """A place in a query for a value that each call gives."""

    name: str


def parameter(name: str, sql: str = "%s") -> RawSQL:
    """Return what stands in a queryset for a value that each call gives."""
    return RawSQL(sql, [Parameter(name)])  # noqa: S611 - the SQL is ours, and holds no value


@dataclass(frozen=True)
class CompiledQuery:
    """A queryset as SQL. It must not contain what changes from call to call otherwise."""

    model: Any
    using: str
    sql: str
    params: tuple[Any, ...] = field(repr=False)

    @classmethod
    def of(cls, queryset: QuerySet[Any]) -> "CompiledQuery":
        sql, params = queryset.query.get_compiler(queryset.db).as_sql()
        return cls(queryset.model, queryset.db, sql, tuple(params))

    def fetch(self, values: dict[str, Any]) -> list[Any]:
        """Run it.

        Args:
            values: one for each parameter, as the database's driver takes it.
        """
        params = [values[p.name] if isinstance(p, Parameter) else p for p in self.params]
        return list(self.model._base_manager.using(self.using).raw(self.sql, params))
