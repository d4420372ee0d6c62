"""What was promised of the clean-up's speed, and whether the figures keep it."""

from __future__ import annotations

from tests.bench.world import Row


def ratio(one: float, other: float) -> float:
    return round(one / other, 3)


def loads(document: Row, **load: float) -> list[Row]:
    """The loads that are so, in their order."""
    return [row for row in document["speed"] if all(row[name] == value for name, value in load.items())]


def clients(document: Row, **load: float) -> Row:
    """The figures of the first load that is so."""
    found: Row = loads(document, **load)[0]["clients"]
    return found


def judged(document: Row) -> list[Row]:
    at_16, at_64 = clients(document, concurrency=16), clients(document, concurrency=64)
    first, second, bare = at_16["first_night"], at_16["second_night"], at_16["unguarded"]
    script, limit = at_16["grpc_script"], at_16["bare_loop"]
    nightly, large = document["nightly"], document["large"]
    later = nightly["second_night"]
    kept = nightly["kept"]
    return [
        _promise("first night: times the script's speed", speed(first, script), at_least=1.2),
        _promise("first night: CPU beside the script's", cpu(first, script), at_most=0.8),
        _promise("second night: share of the limit", speed(second, limit), at_least=0.9),
        _promise("second night: CPU beside the script's", cpu(second, script), at_most=0.5),
        _promise("second night: calls a deleted image", second["calls_per_image"], at_most=1.06),
        _promise("no guards: share of the limit at 16", speed(bare, limit), at_least=0.92),
        _promise(
            "no guards: share of the limit at 64",
            speed(at_64["unguarded"], at_64["bare_loop"]),
            at_least=0.75,
        ),
        _promise("no guards: CPU beside the script's", cpu(bare, script), at_most=0.4),
        _promise(f"MB at {large['images']} images, all guards", large["first_night"]["peak_mb"], at_most=100),
        _promise(
            "first night: manifest calls a kept image",
            ratio(nightly["first_night"]["manifest_calls"], nightly["images"]),
            at_most=1.05,
        ),
        _promise(
            "second night: calls a kept image, deletions aside",
            ratio(later["calls_per_image"] * (nightly["images"] - kept) - (nightly["images"] - kept), kept),
            at_most=0.02,
        ),
        _promise(
            f"second night of {nightly['images']} images: state calls", later["state_calls"], at_most=60
        ),
        _promise(
            "import: CPU beside requests, jwt and rsa",
            document["import"]["beside_requests_jwt_rsa"]["cpu_ms"],
            at_most=1.1,
        ),
    ]


def speed(one: Row, other: Row) -> float:
    return ratio(one["images_per_second"], other["images_per_second"])


def cpu(one: Row, other: Row) -> float:
    return ratio(one["cpu_ms_per_image"], other["cpu_ms_per_image"])


def _promise(what: str, got: float, *, at_most: float | None = None, at_least: float | None = None) -> Row:
    kept = got <= at_most if at_most is not None else got >= (at_least or 0)
    bound = {"at_most": at_most} if at_most is not None else {"at_least": at_least}
    return {"what": what, "got": got, **bound, "kept": kept}
