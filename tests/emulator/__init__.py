"""A stand-in for Yandex Cloud: one HTTP server that speaks the cloud's REST API to the tests.

The API it offers is read from the `yandexcloud` package, not written here: the protobuf descriptors give
the routes (`routes.py`), the messages (`transcoding.py`) and the limits on their fields (`validation.py`).
What the methods do is in `services/`, one module a cloud service; each handler takes a request message and
returns a response message, so that it does not know by which front (HTTP) it was reached.

    errors.py clock.py paging.py      answers and limits that every service shares
    images.py state.py operations.py  what the cloud holds
    lifecycle.py                      what a lifecycle policy takes, as documented
    accounts.py methods.py            who may call what
    behaviour.py changes.py           delays, faults and races that a test asks for
    server.py control.py calls.py     the HTTP front and the tests' own endpoints
    seed.py client.py keys.py         how a test fills it, starts it and signs in

Run it by hand with `python -m tests.emulator --seed FILE`.
"""
