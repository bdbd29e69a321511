"""SQLite files, with the same face as the database servers."""

import shutil
from pathlib import Path


class SqliteFiles:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, database: str) -> str:
        return f"sqlite:///{self._path(database)}"

    def create_database(self, database: str) -> None:
        self._path(database).touch()

    def copy_database(self, source: str, database: str) -> None:
        shutil.copy(self._path(source), self._path(database))

    def drop_database(self, database: str) -> None:
        for path in self._directory.glob(f"{database}.sqlite3*"):  # and its journal
            path.unlink()

    def _path(self, database: str) -> Path:
        return self._directory / f"{database}.sqlite3"
