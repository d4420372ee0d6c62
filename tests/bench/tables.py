"""The benchmark's document as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from tests.bench.cost import LATENCIES_MS
from tests.bench.world import Row

NAMES = {
    "unguarded": "no guards",
    "first_night": "all guards, first night",
    "second_night": "all guards, second night",
    "grpc_script": "script on the gRPC stubs",
    "curl": "`curl` under `xargs -P`",
    "bare_loop": "limit: a bare loop",
}
CORES = {1: "one", 0.25: "a quarter", 0.125: "an eighth"}


def markdown(document: Row) -> str:
    seconds, load = document["seconds"], document["load_average"]
    head = (
        f"{document['date']}; {document['machine']}; Python {document['python']}; {document['rounds']} rounds,"
        f" {seconds} s; load average {load['before']:.1f} before, {load['after']:.1f} after;"
        f" shares of a core: {document['share_of_a_core']}."
    )
    return "\n\n".join(
        [head, _speed(document), _sizes(document), _cost(document), _foretold(document), _promises(document)]
    )


def table(titles: str, rows: Iterable[Iterable[object]]) -> str:
    columns = titles.split(" | ")
    lines = [columns, ["---"] * len(columns), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _speed(document: Row) -> str:
    titles = "core | TLS | images | repositories | in flight | client | images/s | calls an image | CPU an image, ms"
    return table(
        f"{titles} | peak, MB",
        (
            [
                CORES.get(load["core"], load["core"]),
                "yes" if load["tls"] else "no",
                load["images"],
                load["repositories"],
                load["concurrency"],
                NAMES[client],
                round(row["images_per_second"]),
                f"{row['calls_per_image']:.3f}",
                f"{row['cpu_ms_per_image']:.2f}",
                "" if client == "curl" else round(row["peak_mb"]),
            ]
            for load in document["speed"]
            for client, row in load["clients"].items()
        ),
    )


def _sizes(document: Row) -> str:
    rows = [
        (load, night) for load in (document["nightly"], document["large"]) for night in NAMES if night in load
    ]
    return table(
        "images | deleted | night | seconds | manifest calls | state calls | state, KB | peak, MB",
        (
            [
                load["images"],
                load["images"] - load["kept"],
                night.removesuffix("_night"),
                f"{load[night]['seconds']:.1f}",
                round(load[night]["manifest_calls"]),
                round(load[night]["state_calls"]),
                round(load[night]["state_kb"]),
                round(load[night]["peak_mb"]),
            ]
            for load, night in rows
        ),
    )


def _cost(document: Row) -> str:
    currency = document["cost"][0]["currency"]
    titles = ["night", "in flight", "memory, MB", "core"]
    titles += [f"images a night at {ms} ms" for ms in LATENCIES_MS]
    titles += [f"{currency} a month", "nothing free"]
    titles += [f"{currency} a million images at {ms} ms" for ms in LATENCIES_MS]
    return table(
        " | ".join(titles),
        (
            [
                row["night"].removesuffix("_night"),
                row["concurrency"],
                row["memory_mb"],
                f"{row['core']:g}",
                *(f"{count:,}" for count in row["images"].values()),
                f"{row['month']:.2f}",
                f"{row['month_nothing_free']:.2f}",
                *(f"{price:.3f}" for price in row["million_images"].values()),
            ]
            for row in document["cost"]
        ),
    )


def _foretold(document: Row) -> str:
    return table(
        "night | in flight | core | time foretold by the table of costs beside the time measured",
        (
            [
                row["night"].removesuffix("_night"),
                row["concurrency"],
                CORES[row["core"]],
                row["foretold_beside_measured"],
            ]
            for row in document["foretold"]
        ),
    )


def _promises(document: Row) -> str:
    return table(
        "promise | got | bound | kept",
        (
            [
                row["what"],
                row["got"],
                f"at most {row['at_most']}" if "at_most" in row else f"at least {row['at_least']}",
                "yes" if row["kept"] else "**no**",
            ]
            for row in document["promises"]
        ),
    )
