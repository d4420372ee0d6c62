"""``python -m functions migration``: what has moved to Cloud Registry, and what has not. Changes nothing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from shared.cleanup import migration
from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.invocation import page_file, task, watched
from shared.report import terminal
from shared.report.migration import migration_report
from shared.retention.migration import RegistryMigration


def show(options: Namespace, environment: Mapping[str, str]) -> int:
    """Shows what has moved; exit status 1 when something has not arrived."""
    registries: list[RegistryMigration] = []

    def look(run: Run, cloud: Cloud) -> None:
        registries.extend(migration.look(run, cloud))

    ended = watched.ended(task.LOOK_BY_HAND, environment, look=look)
    if not registries:
        return watched.show(options, ended)
    made = migration_report(ended.report, registries)
    if options.html:
        from shared.report.page import page  # imported here: nothing else here needs Jinja

        page_file.write(options.html, page.migration_page(made))
    elif options.json:
        terminal.print_json(made)
    else:
        terminal.show_migration(made)
    return max(ended.status, int(any(registry.differences for registry in registries)))
