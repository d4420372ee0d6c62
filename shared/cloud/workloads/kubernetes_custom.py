"""Custom resources of a cluster, such as Argo's Rollouts and Knative's Services: they may hold the templates
of pods.

``GET /apis`` gives the groups, ``GET /apis/<group>/<version>`` what a group serves. What the role `view` may
list of it is searched; what it may not (403) is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.cloud.client import Cloud
from shared.cloud.workloads.kubernetes_lists import ROLE, SERVICE, pages
from shared.cloud.workloads.kubernetes_objects import Group, Groups, Others, Resources
from shared.cloud.workloads.kubernetes_workloads import SOME, Gathering, add_objects
from shared.errors import NOT_FOUND, PERMISSION_DENIED, CallError

BUILT_IN = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
# Measurements, reports about images and the networks' own records: many, large, and nothing starts a pod from
# them.
RECORDS = frozenset(
    {
        "aquasecurity.github.io",
        "cilium.io",
        "crd.projectcalico.org",
        "custom.metrics.k8s.io",
        "external.metrics.k8s.io",
        "metrics.k8s.io",
        "projectcalico.org",
        "reports.kyverno.io",
        "wgpolicyk8s.io",
    }
)


def look_at_custom(master: Cloud, gathering: Gathering) -> list[str]:
    """Gathers what the cluster's custom resources name, and returns those that may not be listed.

    Raises CallError.
    """
    hidden: list[str] = []
    for group in _groups(master, hidden):
        for version, name, kind in _resources(master, group, hidden):
            path = f"/apis/{version}/{name}"
            try:
                for page in pages(master, path, Others, "", gathering.cluster, size=SOME):
                    add_objects(gathering, page, kind, covers_registry=False)
            except CallError as error:
                _note(error, f"{name}.{group.name}", hidden)
    return hidden


def _groups(master: Cloud, hidden: list[str]) -> list[Group]:
    try:
        groups = master.call("GET", SERVICE, "/apis", Groups, role=ROLE).groups
    except CallError as error:
        _note(error, "the list of API groups", hidden)
        return []
    return [group for group in groups if group.name not in BUILT_IN | RECORDS]


def _resources(master: Cloud, group: Group, hidden: list[str]) -> Iterator[tuple[str, str, str]]:
    """The version, the name and the kind of what the group lets one list, each thing in one of its
    versions.
    """
    seen: set[str] = set()
    for version in group.served:
        try:
            resources = master.call("GET", SERVICE, f"/apis/{version}", Resources, role=ROLE).resources
        except CallError as error:
            _note(error, group.name, hidden)
            continue
        for resource in resources:
            if "list" in (resource.verbs or ()) and "/" not in resource.name and resource.name not in seen:
                seen.add(resource.name)
                yield version, resource.name, resource.kind


def _note(error: CallError, name: str, hidden: list[str]) -> None:
    """Remembers what may not be listed; what is not there (404) is nothing. Raises any other error."""
    if error.code == PERMISSION_DENIED:
        hidden.append(name)
    elif error.code != NOT_FOUND:
        raise error
