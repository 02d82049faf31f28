"""Whether the database's tables are those of this code: the applied migrations beside the known ones."""

from __future__ import annotations

from django.apps import apps
from django.db import connection
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader

from chatsite.environment.declared import ConfigurationError

SHOWN = 3
"""Migrations that a message names."""


def check_not_newer() -> None:
    """Raises ConfigurationError for a database of a newer version, and for one whose history has holes."""
    loader = MigrationLoader(connection)
    own = {config.label for config in apps.get_app_configs() if config.name.startswith("chatsite.")}
    installed = {config.label for config in apps.get_app_configs()}
    # Other packages drop old migrations now and then, so only ours, and apps that are not here, tell.
    extra = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    unknown = [f"{label}.{name}" for label, name in extra if label in own or label not in installed]
    if unknown:
        raise ConfigurationError(
            f"The database is of a newer version of chatsite: {_some(unknown)} not known here. Start that "
            "version, or restore the backup that was made before the update."
        )
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        raise ConfigurationError(
            f"The database was migrated by halves: {str(error).rstrip('.')}. Restore a backup of it."
        ) from None


def check_migrated() -> None:
    """Raises ConfigurationError where migrations are missing, too."""
    check_not_newer()
    loader = MigrationLoader(connection)
    targets = loader.graph.leaf_nodes()
    needed = {key for target in targets for key in loader.graph.forwards_plan(target)}
    if missing := [".".join(key) for key in sorted(needed - set(loader.applied_migrations))]:
        raise ConfigurationError(
            f"The database is not migrated: {_some(missing)} missing. Run `manage.py migrate` first."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more} {'is' if len(names) == 1 else 'are'}"
