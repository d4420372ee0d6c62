"""registry-janitor: what runs in the cloud, and what puts it there.

A call arrives (`invocation.events`, `invocation.http_call`), and `invocation.carry_out` reads the settings,
gets a token (`auth.sources`) and opens the journal. `cleanup.job` is the run in order: find the repositories
(`cleanup.scope`), run their policies dry (`cloud.registry`), see what runs (`cloud.workloads`), list the
images, decide which are candidates (`retention.rules`, `retention.policies`), find what a guard keeps
(`cleanup.protection`, `retention.guards`), write down what is about to go (`state.journal`), delete it
(`cleanup.deletion`, `cloud.image_deletion`) and look again (`cleanup.integrity`). The report
(`report.report`) says what came of each image; `invocation.finish` sends, keeps and sweeps, and
`invocation.answer` hands it to the caller.

Each room imports only what stands behind it in this list, but for the first two, which do not know each
other: `invocation`, `deploy`, `report`, `cleanup`, `state`, `settings`, `auth`, `cloud`, `retention`,
`errors`.
"""
