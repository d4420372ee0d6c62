"""Service accounts.

A name is unique within the cloud; an account that something runs as cannot be deleted.
"""

import itertools
from typing import Any

from yandex.cloud.iam.v1 import service_account_service_pb2 as service
from yandex.cloud.iam.v1.service_account_pb2 import ServiceAccount
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import FAILED_PRECONDITION, ApiError
from tests.emulator.images import cloud_id
from tests.emulator.labelled import Labelled
from tests.emulator.listing import check_folder, check_name_is_free, folder_asked
from tests.emulator.methods import method
from tests.emulator.operations import origin
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import State
from tests.emulator.updating import updated

SERVICES = (service.DESCRIPTOR.services_by_name["ServiceAccountService"],)

API = "yandex.cloud.iam.v1.ServiceAccountService"
VIEWER = "iam.viewer"
EDITOR = "iam.editor"
USER = "iam.serviceAccounts.user"

_numbers = itertools.count(1)


def place_of_account(state: State, account_id: str) -> Place:
    account = state.accounts.service_accounts.get(account_id)
    return (account.id, account.folder_id) if account else ()


def place_of(state: State, request: Any) -> Place:
    return place_of_account(state, request.service_account_id)


bindable(
    API,
    "ServiceAccount",
    place_of_account,
    viewer=VIEWER,
    admin="iam.serviceAccounts.admin",
    tells_effect=True,
)


ACCOUNTS: Labelled[ServiceAccount] = Labelled(
    "ServiceAccount", service, API, "service_account_id", lambda state: state.accounts.service_accounts
)
ACCOUNTS.offer_reading(VIEWER, place_of, ("name",))
account_by_id = ACCOUNTS.by_id


def check_usable(state: State, account_id: str) -> None:
    """Refuse an account that doesn't exist, or that the caller may not have things run as."""
    if account_id:
        account_by_id(state, account_id)
        state.access.require(origin.get().subject_id, USER, place_of_account(state, account_id))


def _check_name(state: State, account: ServiceAccount) -> None:
    accounts = state.accounts.service_accounts.values()
    others = [other for other in accounts if other.id != account.id]
    check_name_is_free("ServiceAccount", account.name, others)


@method(f"{API}/Create", role=EDITOR, place_of=folder_asked)
def create_account(state: State, request: service.CreateServiceAccountRequest) -> Operation:
    check_folder(state, request.folder_id)
    account = ServiceAccount(
        id=cloud_id("aje", f"service account {next(_numbers)}"),
        folder_id=request.folder_id,
        created_at=timestamp(state.clock.now()),
        name=request.name,
        description=request.description,
        labels=request.labels,
        status=ServiceAccount.Status.ACTIVE,
    )
    return ACCOUNTS.create(state, account, _check_name)


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_account(state: State, request: service.UpdateServiceAccountRequest) -> Operation:
    changed = updated(account_by_id(state, request.service_account_id), request)
    _check_name(state, changed)
    return ACCOUNTS.update(state, request.service_account_id, changed)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_account(state: State, request: service.DeleteServiceAccountRequest) -> Operation:
    account_id = account_by_id(state, request.service_account_id).id
    _check_unused(state, account_id)
    return ACCOUNTS.delete(state, account_id, _check_unused)


def _check_unused(state: State, account_id: str) -> None:
    for user in state.serverless.users_of(account_id):
        raise ApiError(FAILED_PRECONDITION, f"ServiceAccount {account_id} is used by {user}")
