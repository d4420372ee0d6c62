"""IAM tokens: a signed JWT is exchanged for a token, and who may act as a service account gets a token of it.

The JWT's header is `{"typ": "JWT", "alg": "PS256", "kid": <key id>}`; its claims are `iss` (the service
account whose key it is), `aud`, `iat` and `exp`, at most an hour apart and true by the emulator's clock.
"""

import json

import jwt
from yandex.cloud.iam.v1 import iam_token_service_pb2 as tokens

from tests.emulator.access import Place
from tests.emulator.accounts import AuthorizedKey
from tests.emulator.clock import timestamp
from tests.emulator.errors import UNAUTHENTICATED, UNIMPLEMENTED, ApiError, not_found
from tests.emulator.methods import method
from tests.emulator.state import State

SERVICES = (tokens.DESCRIPTOR.services_by_name["IamTokenService"],)

AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
MAX_LIFETIME_SECONDS = 3600


@method("yandex.cloud.iam.v1.IamTokenService/Create", needs_token=False)
def create_token(state: State, request: tokens.CreateIamTokenRequest) -> tokens.CreateIamTokenResponse:
    if request.WhichOneof("identity") != "jwt":
        raise ApiError(UNIMPLEMENTED, "only a jwt is exchanged by the emulator")
    key = _signing_key(state, request.jwt)
    _check_claims(_verified_claims(request.jwt, key), key, state.clock.unwound())
    token, expires_at = state.accounts.issue_token(key.service_account_id)
    return tokens.CreateIamTokenResponse(iam_token=token, expires_at=timestamp(expires_at))


def place_of(state: State, request: tokens.CreateIamTokenForServiceAccountRequest) -> Place:
    account = state.accounts.service_accounts.get(request.service_account_id)
    return (account.id, account.folder_id) if account else ()


@method(
    "yandex.cloud.iam.v1.IamTokenService/CreateForServiceAccount",
    role="iam.serviceAccounts.tokenCreator",
    place_of=place_of,
)
def create_token_for_account(
    state: State, request: tokens.CreateIamTokenForServiceAccountRequest
) -> tokens.CreateIamTokenResponse:
    if request.service_account_id not in state.accounts.service_accounts:
        raise not_found("ServiceAccount", request.service_account_id)
    token, expires_at = state.accounts.issue_token(request.service_account_id)
    return tokens.CreateIamTokenResponse(iam_token=token, expires_at=timestamp(expires_at))


@method("yandex.cloud.iam.v1.IamTokenService/Revoke")
def revoke_token(state: State, request: tokens.RevokeIamTokenRequest) -> tokens.RevokeIamTokenResponse:
    return tokens.RevokeIamTokenResponse(subject_id=state.accounts.revoke_token(request.iam_token))


def _refusal(reason: str) -> ApiError:
    return ApiError(UNAUTHENTICATED, f"JWT is invalid: {reason}")


def _signing_key(state: State, encoded: str) -> AuthorizedKey:
    try:
        header = jwt.get_unverified_header(encoded)
    except jwt.InvalidTokenError as error:
        raise _refusal(str(error)) from None
    if header.get("alg") != "PS256":
        raise _refusal(f"alg must be PS256, not {header.get('alg')}")
    key = state.accounts.keys.get(str(header.get("kid")))
    if key is None:
        raise _refusal(f"kid {header.get('kid')} is not a known key")
    return key


def _verified_claims(encoded: str, key: AuthorizedKey) -> dict[str, object]:
    """The claims, of which the signature alone has been checked."""
    try:
        signed = jwt.PyJWS().decode(encoded, key.public_key, algorithms=["PS256"])
        claims = json.loads(signed)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise _refusal(str(error)) from None
    return dict(claims)


def _check_claims(claims: dict[str, object], key: AuthorizedKey, now: float) -> None:
    if claims.get("iss") != key.service_account_id:
        raise _refusal(f"iss is not {key.service_account_id}, whose key kid names")
    if claims.get("aud") != AUDIENCE:
        raise _refusal(f"aud must be {AUDIENCE}")
    issued, expires = (_seconds(claims, name) for name in ("iat", "exp"))
    if issued > now:
        raise _refusal("iat is in the future")
    if expires <= now:
        raise _refusal("exp has passed")
    if expires - issued > MAX_LIFETIME_SECONDS:
        raise _refusal(f"exp is more than {MAX_LIFETIME_SECONDS} seconds after iat")


def _seconds(claims: dict[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(f"{name} must be a number of seconds")
    return value
