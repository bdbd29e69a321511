"""``Fence`` for engines that keep sessions in a table, mostly beside the registry."""

from typing import Any

from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.db import DatabaseError, IntegrityError, router, transaction
from django.db.models import Exists
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.fence import Fence
from live_single_session.models import digest
from live_single_session.registry import db, engine


class RowsFence(Fence):
    """Inserts sessions in the registry's transaction, and updates them while they are live."""

    keeps_rows = True
    model: Any

    def _is_beside_registry(self) -> bool:
        """Tell whether session rows are written to the registry's own database."""
        return bool(router.db_for_write(self.model) == db.database())

    @sensitive_variables()
    def _insert(self) -> None:
        row = self._model_instance()
        try:
            row.save(force_insert=True, using=router.db_for_write(self.model, instance=row))
        except IntegrityError as error:
            raise CreateError from error

    @sensitive_variables()
    def _update(self) -> None:
        if not self._is_beside_registry():
            super()._update()
            return
        row = self._model_instance()
        live = db.rows().live().filter(key_digest=digest(row.pk))
        mine = self.model._default_manager.using(db.database()).filter(pk=row.pk)
        fields = [field for field in row._meta.concrete_fields if not field.primary_key]
        changes = {field.attname: getattr(row, field.attname) for field in fields}
        try:
            is_live = mine.filter(Exists(live)).update(**changes)
        except DatabaseError as error:
            raise UpdateError from error
        if not is_live:
            raise UpdateError

    @sensitive_variables()
    def forget(self, session_key: str) -> None:
        """Delete the row of a session, unless somebody is writing to it.

        That request may be waiting for the user's lock, which may be held here. What is left
        opens nothing, and is deleted when it has expired.
        """
        if not self._is_beside_registry():
            super().forget(session_key)
            return
        using = db.database()
        with transaction.atomic(using=using, savepoint=False):
            engine.delete_rows([session_key], using)
        engine.forget_cached([session_key])

    def _model_instance(self) -> Any:
        return self.create_model_instance(self._session_cache)  # type: ignore[attr-defined]
