"""The HTTPS servers of the seeded clusters, each on a port of its own; a stopped cluster has none."""

import functools
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from tests.emulator.certificates import server_context
from tests.emulator.listening import listen
from tests.emulator.workloads import Cluster

HOST = "127.0.0.1"

ClusterHandler = Callable[[Cluster, web.BaseRequest], Awaitable[web.StreamResponse]]


class KubernetesServers:
    def __init__(self) -> None:
        self._runners: list[web.ServerRunner] = []

    async def start(self, clusters: Iterable[Cluster], handle: ClusterHandler) -> None:
        """Serve these clusters and no others, and let each know where it is."""
        await self.stop()
        for cluster in clusters:
            if cluster.is_served:
                handler = functools.partial(handle, cluster)
                runner, port = await listen(handler, HOST, 0, server_context(cluster.id))
                self._runners.append(runner)
                cluster.url = f"https://{HOST}:{port}"

    async def stop(self) -> None:
        while self._runners:
            await self._runners.pop().cleanup()
