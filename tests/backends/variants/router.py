"""Where the tables are in the variant with two databases."""


class Router:
    """Django's sessions in one database, all else in another; neither is the default."""

    def db_for_read(self, model, **hints):
        return self._place_of(model._meta.app_label)

    db_for_write = db_for_read

    def allow_relation(self, first, second, **hints):
        return True

    def allow_migrate(self, db, app_label, **hints):
        return db in (self._place_of(app_label), "archive")

    def _place_of(self, app_label):
        return "sessions" if app_label == "sessions" else "accounts"
