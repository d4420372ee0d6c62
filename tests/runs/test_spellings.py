"""However something that runs names an image, the image stays; and what is merely similar goes."""

from __future__ import annotations

import base64
import gzip
import json
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up
from tests.runs.test_in_use import digests, kept_by, warnings
from tests.support.in_use import cluster, everything, pod, pod_spec, registry

REGISTRY, OTHER = "crp1", "crp" + "b2" * 8 + "c"
FOREIGN = "crp" + "a1" * 8 + "b"


class Spelling(NamedTuple):
    """How an image is named, and where. ``text`` gets its repository (without the registry), tag and digest.

    ``kept`` of the three images of the repository: the one that is named (``named``), one of another tag
    (``other``), and one without tags (``bare``).
    """

    where: str
    text: Callable[[str, str, str], Any]
    kept: str = "named"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def gz(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def app(name: str, tag: str) -> str:
    return f"cr.yandex/{REGISTRY}/{name}:{tag}"


def write_file(encoding: str, content: str) -> str:
    return f"#cloud-config\nwrite_files:\n- path: /run.sh\n  encoding: {encoding}\n  content: {content}\n"


def mime(body: str, encoding: str) -> str:
    return (
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"\n\n--B\nContent-Type: text/x-shellscript\n'
        f"Content-Transfer-Encoding: {encoding}\n\n{body}\n--B--\n"
    )


def wrapped(text: str) -> str:
    return textwrap.indent(base64.encodebytes((text + " " * 60).encode()).decode(), "    ")


def run(name: str, tag: str) -> str:
    return f"#!/bin/sh\n# запуск\ndocker run -d {app(name, tag)}\n"


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "image": "nginx", **fields}]}}


SPELLINGS: dict[str, Spelling] = {
    # packed and escaped
    "write-files-b64": Spelling("vm", lambda n, t, d: write_file("b64", b64(run(n, t)))),
    "write-files-base64": Spelling("vm", lambda n, t, d: write_file("base64", b64(run(n, t)))),
    "write-files-gz-b64": Spelling("vm", lambda n, t, d: write_file("gz+b64", gz(run(n, t)))),
    "write-files-gzip": Spelling("vm", lambda n, t, d: write_file("gzip", f'!!binary "{gz(run(n, t))}"')),
    "write-files-wrapped": Spelling("vm", lambda n, t, d: write_file("b64", "|\n" + wrapped(run(n, t)))),
    "whole-base64": Spelling("vm", lambda n, t, d: b64(run(n, t))),
    "whole-gzip": Spelling("vm", lambda n, t, d: gz(run(n, t))),
    "base64-twice": Spelling("vm", lambda n, t, d: b64(write_file("b64", b64(run(n, t))))),
    "base64-gzip-base64": Spelling("vm", lambda n, t, d: gz(write_file("gz+b64", gz(run(n, t))))),
    "mime-base64": Spelling("vm", lambda n, t, d: mime(wrapped(run(n, t)).replace("    ", ""), "base64")),
    "mime-plain": Spelling("vm", lambda n, t, d: mime(run(n, t), "7bit")),
    "mime-quoted": Spelling(
        "vm",
        lambda n, t, d: mime(run(n, t).replace("=", "=3D").replace("/crp", "=2Fcr=\np"), "quoted-printable"),
    ),
    "mime-in-base64": Spelling("vm", lambda n, t, d: b64(mime(b64(run(n, t)), "base64"))),
    "utf-16": Spelling("vm", lambda n, t, d: base64.b64encode(run(n, t).encode("utf-16-le")).decode()),
    "json-unicode": Spelling("vm", lambda n, t, d: json.dumps({"a": app(n, t)}).replace("/", r"\u002f")),
    "json-slash": Spelling("vm", lambda n, t, d: json.dumps({"a": app(n, t)}).replace("/", r"\/")),
    "json-in-json": Spelling(
        "vm", lambda n, t, d: json.dumps({"a": json.dumps({"b": app(n, t)}).replace("/", r"\u002f")})
    ),
    "hex-escapes": Spelling(
        "vm", lambda n, t, d: f'"{app(n, t)}"'.replace("/", r"\x2F").replace(":", r"\x3a")
    ),
    "url-encoded": Spelling(
        "vm", lambda n, t, d: "image=" + app(n, t).replace("/", "%2F").replace(":", "%3A")
    ),
    "url-encoded-twice": Spelling(
        "vm", lambda n, t, d: app(n, t).replace("/", "%252F").replace(":", "%253a")
    ),
    # in variables
    "id-in-variable": Spelling("vm", lambda n, t, d: f"REG={REGISTRY}\nrun cr.yandex/$REG/{n}:{t}"),
    "id-in-braces": Spelling(
        "vm", lambda n, t, d: f'REGISTRY_ID="{REGISTRY}"\ndocker run -d cr.yandex/${{REGISTRY_ID}}/{n}:{t}'
    ),
    "id-by-default": Spelling("vm", lambda n, t, d: f"run cr.yandex/${{REG:-{REGISTRY}}}/{n}:{t}"),
    "id-in-template": Spelling("vm", lambda n, t, d: f"reg: {REGISTRY}\nx: cr.yandex/{{{{ reg }}}}/{n}:{t}"),
    "all-in-variables": Spelling(
        "vm", lambda n, t, d: f"R={REGISTRY}\nN='{n}'\nT={t}\nI=cr.yandex/$R/$N:$T\ndocker run \"$I\""
    ),
    "tag-in-variable": Spelling("vm", lambda n, t, d: f"T={t}\ndocker run cr.yandex/{REGISTRY}/{n}:$T"),
    "in-two-values": Spelling("vm2", lambda n, t, d: (f"REG={REGISTRY}", f"run cr.yandex/$REG/{n}:{t}")),
    "python": Spelling("vm", lambda n, t, d: f'r = "{REGISTRY}"\nrun(f"cr.yandex/{{r}}/{n}:{t}")'),
    "tag-by-default": Spelling("vm", lambda n, t, d: f"run {app(n, '${TAG:-' + t + '}')}", "named other"),
    "tag-in-template": Spelling("vm", lambda n, t, d: f"run {app(n, '{{ .Values.tag }}')}", "named other"),
    "tag-unknown": Spelling("vm", lambda n, t, d: f"run {app(n, '$TAG')}", "named other"),
    "tag-of-a-command": Spelling("vm", lambda n, t, d: f"run {app(n, '$(cat /tag)')}", "named other"),
    "tag-of-a-loop": Spelling(
        "vm", lambda n, t, d: f"for T in {t}; do run {app(n, '$T')}; done", "named other"
    ),
    "image-and-tag": Spelling(
        "vm",
        lambda n, t, d: f"IMAGE=cr.yandex/{REGISTRY}/{n}\nTAG={t}\ndocker run $IMAGE:$TAG",
        "named other",
    ),
    # in parts
    "chart-repository": Spelling(
        "vm", lambda n, t, d: f"repository: {REGISTRY}/{n}\ntag: {t}", "named other"
    ),
    "chart-image": Spelling(
        "vm",
        lambda n, t, d: f"image:\n  registry: cr.yandex\n  repository: {REGISTRY}/{n}\n  tag: {t}",
        "named other",
    ),
    "chart-id": Spelling(
        "vm", lambda n, t, d: f"registryId: {REGISTRY}\nrepository: {n}\ntag: {t}", "named other"
    ),
    "chart-in-base64": Spelling(
        "vm", lambda n, t, d: b64(f"repository: {REGISTRY}/{n}\ntag: {t}"), "named other"
    ),
    "compose-image-and-tag": Spelling(
        "vm", lambda n, t, d: f"image: cr.yandex/{REGISTRY}/{n}\ntag: {t}", "named other"
    ),
    "without-tag": Spelling("vm", lambda n, t, d: f"docker run cr.yandex/{REGISTRY}/{n}", "named other"),
    "full-stop": Spelling("vm", lambda n, t, d: f"It runs {app(n, t)}."),
    # by digest, and by other names of the registry
    "digest-mirror": Spelling("vm", lambda n, t, d: f"run mirror.example.net/library/x@{d}"),
    "digest-capitals": Spelling("vm", lambda n, t, d: f"run mirror.example.net/x@{d.upper()}"),
    "digest-pod": Spelling("pod", lambda n, t, d: pod_spec(f"mirror.example.net/library/x@{d}")),
    "digest-resolved": Spelling("resolved", lambda n, t, d: f"docker-pullable://mirror.example.net/x@{d}"),
    "digest-bare-hex": Spelling("resolved", lambda n, t, d: d.removeprefix("sha256:")),
    "digest-field": Spelling("vm", lambda n, t, d: f"repository: mirror/x\ndigest: {d}"),
    "cloud-registry": Spelling("vm", lambda n, t, d: f"run registry.yandexcloud.net/{REGISTRY}/{n}:{t}"),
    "alias": Spelling("vm", lambda n, t, d: f"run cr.yandex/company/{n}:{t}"),
    "alias-pod": Spelling("pod", lambda n, t, d: pod_spec(f"registry.yandexcloud.net/company/{n}:{t}")),
    "alias-group": Spelling("group", lambda n, t, d: f"run cr.yandex/$ALIAS/{n}:{t}"),
    # in what starts containers
    "pod-variable": Spelling(
        "pod", lambda n, t, d: container(env=[{"name": "RELATED_IMAGE_SIDECAR", "value": app(n, t)}])["spec"]
    ),
    "pod-arguments": Spelling("pod", lambda n, t, d: container(args=[f"--destination={app(n, t)}"])["spec"]),
    "pod-command": Spelling(
        "pod",
        lambda n, t, d: container(command=["skopeo", "copy", f"docker://{app(n, t)}", "dir:/x"])["spec"],
    ),
    "pod-expansion": Spelling(
        "pod",
        lambda n, t, d: container(
            env=[{"name": "REG", "value": REGISTRY}], args=[f"--image=cr.yandex/$(REG)/{n}:{t}"]
        )["spec"],
    ),
    "pod-annotation": Spelling(
        "object",
        lambda n, t, d: {
            "kind": "Pod",
            "metadata": {"name": "noted", "annotations": {"sidecar.istio.io/proxyImage": app(n, t)}},
            "spec": pod_spec("nginx"),
        },
    ),
    "deployment-variable": Spelling(
        "object",
        lambda n, t, d: {
            "kind": "Deployment",
            "metadata": {"name": "operator"},
            "spec": {"template": container(env=[{"name": "RELATED_IMAGE", "value": app(n, t)}])},
        },
    ),
    "controller-revision": Spelling(
        "object",
        lambda n, t, d: {
            "kind": "ControllerRevision",
            "metadata": {"name": "db-1"},
            "data": {"spec": {"template": {"spec": pod_spec(app(n, t))}}},
        },
    ),
    "config-map": Spelling(
        "object",
        lambda n, t, d: {
            "kind": "ConfigMap",
            "metadata": {"name": "runner"},
            "data": {"config.toml": f'[runners.kubernetes]\n  image = "{app(n, t)}"\n'},
        },
    ),
    "rollout": Spelling("argoproj.io", lambda n, t, d: {"template": {"spec": pod_spec(app(n, t))}}),
    "knative": Spelling("serving.knative.dev", lambda n, t, d: {"template": container(image=app(n, t))}),
    "kruise": Spelling("apps.kruise.io", lambda n, t, d: {"template": container(args=[app(n, t)])}),
    "chart-release": Spelling(
        "argoproj.io",
        lambda n, t, d: {
            "values": {"image": {"registry": f"cr.yandex/{REGISTRY}", "repository": n, "tag": t}}
        },
        "named other",
    ),
    "revision-variable": Spelling("revision", lambda n, t, d: {"environment": {"SIDECAR": app(n, t)}}),
    "revision-arguments": Spelling("revision", lambda n, t, d: {"args": ["--image", app(n, t)]}),
    "revision-command": Spelling("revision", lambda n, t, d: {"command": ["run", app(n, t)]}),
    # what is merely similar
    "not-another-registry": Spelling("vm", lambda n, t, d: f"run cr.yandex/{OTHER}/{n}:{t}", ""),
    "not-a-foreign-registry": Spelling("vm", lambda n, t, d: f"run cr.yandex/{FOREIGN}/{n}:{t}", ""),
    "not-a-longer-name": Spelling("vm", lambda n, t, d: f"run {app(n + '2', t)}", ""),
    "not-a-shorter-name": Spelling("vm", lambda n, t, d: f"run {app(n[:-1], t)}", ""),
    "not-a-longer-id": Spelling("vm", lambda n, t, d: f"run m.net/{REGISTRY}9/{n}:{t}", ""),
    "not-the-name-alone": Spelling("vm", lambda n, t, d: f"run {n}:{t}", ""),
    "not-another-host": Spelling("vm", lambda n, t, d: f"run ghcr.io/company/{n}:{t}", ""),
    "not-another-digest": Spelling("vm", lambda n, t, d: f"run {REGISTRY}/{n}@sha256:{'0' * 64}", ""),
    "not-a-pod-elsewhere": Spelling("pod", lambda n, t, d: pod_spec(f"cr.yandex/{OTHER}/{n}:{t}"), ""),
    "not-latest": Spelling("pod", lambda n, t, d: pod_spec(f"cr.yandex/{REGISTRY}/{n}"), ""),
    "not-latest-compose": Spelling(
        "vm", lambda n, t, d: f"services:\n  a:\n    image: cr.yandex/{REGISTRY}/{n}\n", ""
    ),
    "not-what-an-id-says": Spelling("vm", lambda n, t, d: f"REGISTRY_IDS={REGISTRY}\nrun janitor", ""),
}
GROUPS = {"argoproj.io": "Rollout", "serving.knative.dev": "Service", "apps.kruise.io": "CloneSet"}


def contents() -> list[dict[str, Any]]:
    """A repository of three images for each spelling, and one that nothing names."""
    return [
        {
            "name": f"team/{name}",
            "policies": [everything(name)],
            "images": [
                {"id": f"{name}.named", "tags": [f"v-{name}"], "age": "9d"},
                {"id": f"{name}.other", "tags": ["other"], "age": "9d"},
                {"id": f"{name}.bare", "age": "9d"},
            ],
        }
        for name in [*SPELLINGS, "spare"]
    ]


def running(of: dict[str, str]) -> dict[str, Any]:
    """Something that runs for each spelling; ``of`` are the images' digests."""
    found: dict[str, Any] = {"containers": [], "instances": [], "instance_groups": []}
    objects: list[dict[str, Any]] = []
    custom: dict[str, list[dict[str, Any]]] = {group: [] for group in GROUPS}
    for name, spelling in SPELLINGS.items():
        text = spelling.text(f"team/{name}", f"v-{name}", of[f"{name}.named"])
        if spelling.where in ("vm", "vm2"):
            values = text if spelling.where == "vm2" else (text,)
            metadata = {f"user-data{n or ''}": value for n, value in enumerate(values)}
            found["instances"].append({"id": f"fhm-{name}", "metadata": metadata})
        elif spelling.where == "group":
            found["instance_groups"].append({"id": f"cl-{name}", "metadata": {"user-data": text}})
        elif spelling.where == "revision":
            revision = {"id": f"rev-{name}", "image": "cr.yandex/crp9/x:1", **text}
            found["containers"].append({"id": f"bba-{name}", "revisions": [revision]})
        elif spelling.where == "pod":
            objects.append({"kind": "Pod", "metadata": {"name": name}, "spec": text})
        elif spelling.where == "resolved":
            objects.append(pod(name, "mirror.example.net/library/x:1", text))
        elif spelling.where == "object":
            objects.append(text)
        else:
            custom[spelling.where].append({"metadata": {"name": name}, "spec": text})
    kinds = [
        {
            "group": group,
            "version": "v1",
            "resource": f"{kind.lower()}s",
            "kind": kind,
            "objects": custom[group],
        }
        for group, kind in GROUPS.items()
    ]
    return {**found, "clusters": [cluster(*objects, custom=kinds)]}


def test_there_are_enough_spellings() -> None:
    assert len(SPELLINGS) >= 40
    assert len([name for name in SPELLINGS if name.startswith("not-")]) >= 10


def test_every_spelling_is_understood_and_no_more(cloud: Cloud, subtests: pytest.Subtests) -> None:
    registries = [registry(REGISTRY, FOLDER, *contents()), registry(OTHER, FOLDER)]
    cloud.seed(registries=registries)
    of = digests(cloud)
    cloud.seed(registries=registries, **running(of))

    report = cloud.clean(MAX_SHARE="1")

    left = cloud.left()
    for name, spelling in SPELLINGS.items():
        with subtests.test(name):
            kept = {f"{name}.{which}" for which in spelling.kept.split()}
            assert {image for image in left if image.partition(".")[0] == name} == kept
    assert not {image for image in left if image.startswith("spare.")}
    assert set(kept_by(report)) == left
    assert report["status"] == "ok"
    assert_adds_up(report)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("docker run cr.yandex/crp1/$NAME:v1", id="the repository"),
        pytest.param("REG=crp1\ndocker run cr.yandex/$REG/$NAME:v1", id="the id and the repository"),
        pytest.param('r = "crp1"\nrun("cr.yandex/%s/%s" % (r, name))', id="in a program"),
        pytest.param("docker run cr.yandex/$REG/$NAME", id="everything"),
        pytest.param("REGISTRY=cr.yandex/crp1", id="the registry alone"),
    ],
)
def test_where_the_repository_cannot_be_told_the_registry_stays(cloud: Cloud, text: str) -> None:
    images = [{"id": "tagged", "tags": ["v1"], "age": "9d"}, {"id": "bare", "age": "9d"}]
    repository = {"name": "app", "policies": [everything()], "images": images}
    cloud.seed(repository, instances=[{"id": "fhm1", "metadata": {"user-data": text}}])

    report = cloud.clean()

    assert cloud.left() == {"tagged"}
    assert report["status"] == "ok"


def test_kinds_that_may_not_be_listed_are_named_once_and_stop_nothing(cloud: Cloud) -> None:
    hidden = [
        {"group": group, "version": "v1", "resource": f"{kind.lower()}s", "kind": kind, "listable": False}
        for group, kind in GROUPS.items()
    ]
    clusters = [cluster(custom=hidden), cluster(custom=hidden[:1], cluster_id="cat2", name="staging")]
    images = [{"id": "spare", "tags": ["v1"], "age": "9d"}]
    cloud.seed({"name": "app", "policies": [everything()], "images": images}, clusters=clusters)

    report = cloud.clean()

    assert (cloud.left(), report["status"]) == (set(), "ok")
    (told,) = warnings(report, "nothing-in-use")
    for name in ("rollouts.argoproj.io", "clonesets.apps.kruise.io", "services.serving.knative.dev"):
        assert name in told
    assert "production" in told
    assert "staging" in told
