"""The cloud's services. A new one is a module here and its name in the list.

A module names the protobuf services it stands for in `SERVICES`; their methods without a handler answer 501.
Those that protobuf doesn't describe are not in the list: `metadata`, `docker_registry`, `kubernetes_api`,
`monitoring`, `function_calls`, `object_storage`.
"""

import importlib

from google.protobuf.descriptor import ServiceDescriptor

MODULES = (
    "iam",
    "service_accounts",
    "folders",
    "container_registry",
    "lifecycle_policies",
    "cloud_registry",
    "cloud_registry_policies",
    "cloud_registry_migration",
    "operations",
    "lockbox",
    "serverless_containers",
    "compute",
    "instance_groups",
    "kubernetes_clusters",
    "buckets",
    "functions",
    "function_versions",
    "triggers",
)


def known_services() -> list[ServiceDescriptor]:
    modules = [importlib.import_module(f"{__name__}.{name}") for name in MODULES]
    return [service for module in modules for service in module.SERVICES]
