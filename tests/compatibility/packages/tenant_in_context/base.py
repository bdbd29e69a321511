"""The tenant in a context variable, which follows into the threads of database calls."""

from contextvars import ContextVar
from typing import Any

from django_tenants.postgresql_backend import base

_schema: ContextVar[str | None] = ContextVar("schema", default=None)
_tenant: ContextVar[Any] = ContextVar("tenant", default=None)


class DatabaseWrapper(base.DatabaseWrapper):
    schema_name = property(
        lambda self: _schema.get() or "public", lambda self, v: _schema.set(v)
    )
    tenant = property(lambda self: _tenant.get(), lambda self, v: _tenant.set(v))
    _was = None

    def _cursor(self, name=None):
        if self._was != self.schema_name:
            self.search_path_set_schemas, self._was = None, self.schema_name
        return super()._cursor(name)
