"""The commands that ask nothing of the registries: what the state keeps, whether the settings are right."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from shared.auth import yc
from shared.errors import many
from shared.invocation import open_plans, page_file
from shared.invocation.task import Invocation
from shared.report import report, terminal
from shared.report.legend import Legend, of_rules
from shared.settings import deploy_table, hard_tags, settings
from shared.state import history, plans


def report_kept(options: Namespace, environment: Mapping[str, str]) -> int:
    """Shows the report of a run that the state keeps, or writes it as a page."""
    invocation = Invocation(environment, yc.SignedIn())
    configured = invocation.settings
    state = report.kept_in(invocation.store(configured))
    legend = Legend(folder_id=configured.folder_id or "", says=of_rules(configured.rules))
    kept = report.kept(state, options.run_id)
    if options.html:
        write_page(options.html, kept, history.trend(state), legend)
    else:
        terminal.print_report(kept, legend, as_json=options.json, verbose=options.verbose)
    return report.EXIT_STATUS[kept.status]


def write_page(file: Path, kept: report.Report, trend: list[history.Row], legend: Legend) -> None:
    """Writes the report as a page. Raises SettingsError when the file cannot be written."""
    from shared.report.page import page  # imported here: nothing else here needs Jinja

    page_file.write(file, page.report_page(kept, trend, legend=legend))


def plans_open(options: Namespace, environment: Mapping[str, str]) -> int:
    """Shows the plans that wait for a decision, with links where there is a webhook."""
    invocation, now = Invocation(environment, yc.SignedIn()), datetime.now(UTC)
    configured, key = invocation.settings, invocation.access.webhook_key
    state = plans.kept_in(invocation.store(configured))
    waiting = open_plans.open_plans(state, configured, key, now)
    if options.json:
        terminal.print_json(waiting)
    else:
        terminal.show_plans(waiting, open_plans.list_link(key, configured, now))
    return 0


def check(options: Namespace, environment: Mapping[str, str]) -> int:
    """Checks the settings as every command does, but asks nothing of the cloud."""
    _ = Invocation(environment).access
    configured = settings.load(environment, must_name_target=False)
    if environment["JANITOR_CONFIG"]:
        check_deployment(environment["JANITOR_CONFIG"])
    hard_tags.try_out(configured)
    rules = len(configured.rules)
    if options.json:
        terminal.print_json({"status": "ok", "mode": configured.mode, "rules": rules})
        return 0
    print(f"The settings are right: mode {configured.mode}, {many(rules, 'rule')}.")
    if not configured.folder_id and not configured.registries:
        print("They name neither a folder nor registries: a run needs FOLDER_ID or REGISTRY_IDS.")
    return 0


def check_deployment(file: str) -> None:
    """Checks the file's table for the deployment, if it has one, as far as a deployment can without a
    call.
    """
    document = settings.read(file)
    if "deploy" in document:
        deploy = deploy_table.check(document, file, datetime.now(UTC))
        deploy_table.check_given(deploy, document, file)


def schema(options: Namespace, _environment: Mapping[str, str]) -> int:
    terminal.print_json(report.schema() if options.report else settings.schema())
    return 0
