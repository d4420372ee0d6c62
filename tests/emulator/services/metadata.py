"""The metadata service of a VM or function: a token for its service account, over plain HTTP.

It isn't described by protobuf. `Metadata-Flavor: Google` is demanded, and the service answers only if the
seed has a `metadata_service`.
"""

import json
from collections.abc import Mapping

from tests.emulator.state import State

PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


def token_answer(state: State, headers: Mapping[str, str]) -> tuple[int, str]:
    """HTTP status and body."""
    if state.metadata_account is None:
        return 404, json.dumps({"error": "the instance has no service account"})
    if headers.get("Metadata-Flavor") != "Google":
        return 403, json.dumps({"error": "the header Metadata-Flavor: Google is required"})
    token, expires_at = state.accounts.issue_token(state.metadata_account)
    expires_in = int(expires_at - state.clock.unwound())
    return 200, json.dumps({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})
