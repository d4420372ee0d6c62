"""The cloud's errors: a gRPC code and a message, over HTTP as a status and a JSON body.

    {"code": 5, "message": "...",
     "details": [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "..."}]}

INVALID_ARGUMENT and FAILED_PRECONDITION share HTTP 400, so only `code` tells them apart.
"""

import itertools
import json

UNKNOWN = 2
INVALID_ARGUMENT = 3
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16

HTTP_STATUS = {
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}

CODE_OF_STATUS = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14, 504: 4}

_request_numbers = itertools.count(1)


class ApiError(Exception):
    """A call that the cloud answers with an error."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> ApiError:
    return ApiError(INVALID_ARGUMENT, message)


def not_found(kind: str, identifier: str) -> ApiError:
    return ApiError(NOT_FOUND, f"{kind} {identifier} not found")


def error_body(code: int, message: str) -> str:
    request_info = {
        "@type": "type.googleapis.com/google.rpc.RequestInfo",
        "requestId": f"00000000-0000-4000-8000-{next(_request_numbers):012x}",
    }
    return json.dumps({"code": code, "message": message, "details": [request_info]})
