"""A stand-in for Yandex Cloud: an HTTP server that speaks the cloud's REST API and the Docker Registry API to
the tests, and an HTTPS server for the Kubernetes API of each cluster.

The REST API it offers is read from the `yandexcloud` package, not written here: the protobuf descriptors give
the routes (`routes.py`), the messages (`transcoding.py`) and the limits on their fields (`validation.py`).
What the methods do is in `services/`, one module a cloud service; each handler takes a request message and
returns a response message, so that it does not know by which front (HTTP or gRPC) it was reached.

    errors.py clock.py paging.py      answers and limits that every service shares
    images.py manifests.py            images as the cloud lists them, and as a registry does
    workloads.py                      what runs images
    kubernetes_objects.py             and what is in its clusters
    state.py operations.py            all that the cloud holds
    upstream.py                       a real registry behind the emulated one
    lifecycle.py                      what a lifecycle policy takes, as documented
    cloud_registries.py cloud_artifacts.py   the same for Cloud Registry,
    cloud_lifecycle.py cloud_policies.py     its policies,
    cloud_migration.py                       and what moves there
    switches.py                       what nobody knows of the two registries yet
    accounts.py access.py methods.py  who may call what
    updating.py                       changes by a field mask
    serverless.py disk.py             functions, and the files of the cloud
    version_checks.py archives.py     what a version may be,
    requirements.py                   what it imports,
    running.py runtime.py             and how it is called
    http_events.py                    over HTTP,
    firing.py cron.py                 and by triggers
    cloud_registry_changes.py cloud_registry_state.py seed_cloud_registries.py    Cloud Registry, for the
                                                                                  tests
    rendered_page.py                  long lists, quickly
    behaviour.py changes.py           delays, faults and races that a test asks for
    server.py listening.py calls.py   the front, through which every call comes
    grpc_front.py                     the same methods over gRPC
    cloud_api.py responses.py         from there to the cloud's methods, and back
    control.py resources.py           the tests' own endpoints
    kubernetes_servers.py             the clusters' servers,
    certificates.py                   and their certificates
    seed.py client.py keys.py         how a test fills it, starts it and signs in

Run it by hand with `python -m tests.emulator --seed FILE`.
"""
