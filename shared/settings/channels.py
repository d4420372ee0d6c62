"""``[[notify]]``: the channels that get a message about a run, their tables in the TOML file, and the faults
of a table.

No secret stands in the file: ``token_env``, ``url_env``, ``secret_env`` and ``password_env`` name environment
variables, which the cloud fills from Lockbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shared.auth.standard_webhooks import signing_key
from shared.cloud import address
from shared.errors import SettingsError, key_of, sentence, short
from shared.settings.wrong_values import unknown_key, wrong_value

On = Literal["always", "changes", "problems"]
Security = Literal["starttls", "ssl", "plain"]
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$(?!\n)")]
Host = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}$(?!\n)")]
Address = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$(?!\n)")]


class Telegram(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="telegram"):
    """A bot's message. ``url`` is the Bot API's server."""

    token_env: Variable
    chat_id: int | Annotated[str, Meta(min_length=1, max_length=100)]
    on: On = "changes"
    url: str = "https://api.telegram.org"


class Slack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="slack"):
    """An incoming webhook of Slack, or one that takes the same, such as Mattermost's."""

    url_env: Variable
    on: On = "changes"


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"):
    """The report as JSON, signed as Standard Webhooks."""

    url: str
    secret_env: Variable
    on: On = "changes"


class Email(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="email"):
    host: Host
    sender: Address = msgspec.field(name="from")
    to: Annotated[list[Address], Meta(min_length=1, max_length=50)]
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    security: Security = "starttls"
    user: Annotated[str, Meta(min_length=1, max_length=320)] | None = None
    password_env: Variable | None = None
    on: On = "changes"


Channel = Telegram | Slack | Webhook | Email
KINDS: dict[str, type[Channel]] = {
    "telegram": Telegram,
    "slack": Slack,
    "webhook": Webhook,
    "email": Email,
}
VARIABLE = "the name of an environment variable"
ACCEPTS = {
    "kind": "telegram, slack, webhook or email",
    "on": "always, changes or problems",
    "token_env": f"{VARIABLE} that holds the bot's token",
    "chat_id": 'the id of a chat, or a channel as "@name"',
    "url": "a URL such as https://hooks.example.net/janitor",
    "url_env": f"{VARIABLE} that holds the incoming webhook's URL",
    "secret_env": f"{VARIABLE} that holds the secret of Standard Webhooks",
    "host": "the mail server's host",
    "port": "a whole number from 1 to 65535",
    "security": "starttls, ssl or plain",
    "user": "the mail server's user",
    "password_env": f"{VARIABLE} that holds the user's password",
    "from": "an address such as janitor@example.net",
    "to": "a list of addresses, 50 at most",
}
Spoken = Callable[[str], str]


class Recipient(msgspec.Struct, frozen=True):
    """A channel with what the environment keeps for it; ``name`` is its place in the file."""

    name: str
    channel: Channel
    secret: str


def check_channels(tables: Any, spoken: Spoken) -> list[Channel]:
    """The channels of a TOML document; ``spoken`` says for a key where it was written.

    Raises SettingsError.
    """
    if not isinstance(tables, list):
        raise SettingsError(f"{spoken('notify')} is no list; write each as [[notify]].", where="notify")
    return [_checked(table, f"notify[{number}]", spoken) for number, table in enumerate(tables, 1)]


def recipients(channels: list[Channel], environment: Mapping[str, str]) -> list[Recipient]:
    """The channels with their secrets. Raises SettingsError for one that is missing or cannot be right."""
    return [
        Recipient(f"notify[{number}]", channel, _secret(channel, f"notify[{number}]", environment))
        for number, channel in enumerate(channels, 1)
    ]


def _checked(table: Any, place: str, spoken: Spoken) -> Channel:
    if not isinstance(table, dict):
        raise SettingsError(f"{spoken(place)} is no table; write it as [[notify]].", where=place)

    def wrong(key: str, said: str) -> SettingsError:
        return SettingsError(sentence(f"{spoken(f'{place}.{key}')} {said}"), where=f"{place}.{key}")

    word = table.get("kind")
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        said = f"is {short(word)}" if "kind" in table else "is missing"
        raise wrong("kind", f"{said}; give {ACCEPTS['kind']}")
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in (*fields, "kind"):
            raise wrong(key, unknown_key(key, fields, of=f" of kind {word}"))
    for key, field in fields.items():
        if field.required and key not in table:
            raise wrong(key, f"is missing, and kind {word} needs it; give {ACCEPTS[key]}")
    try:
        channel = msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        key = key_of(str(error)) or "kind"
        said = wrong_value(
            table.get(key), ACCEPTS[key], lambda value: msgspec.convert({**table, key: value}, kind)
        )
        raise wrong(key, said) from None
    for key, said in _faults(channel):
        raise wrong(key, said)
    return channel


def _faults(channel: Channel) -> list[tuple[str, str]]:
    """What is wrong with a channel that has the right types: keys, each with the rest of a sentence."""
    if isinstance(channel, Telegram | Webhook) and not _is_url(channel.url):
        return [("url", f"is {short(channel.url)}; give {ACCEPTS['url']}")]
    if isinstance(channel, Email) and (channel.user is None) != (channel.password_env is None):
        missing, given = ("user", "password_env") if channel.user is None else ("password_env", "user")
        return [(missing, f"is missing, while {given} is set; give both, or neither")]
    if isinstance(channel, Email) and channel.user and channel.security == "plain":
        return [("security", "is plain, which would show the password to everybody; give starttls or ssl")]
    return []


def _is_url(url: str) -> bool:
    try:
        return bool(address.read(url))
    except ValueError:
        return False


def _secret(channel: Channel, place: str, environment: Mapping[str, str]) -> str:
    key, variable = _variable(channel)
    if variable is None:
        return ""
    file = environment.get("JANITOR_CONFIG", "the settings")
    secret = environment.get(variable, "").strip()
    if not secret:
        raise SettingsError(
            f"{place}.{key} in {file} names {variable}, which is not set; set it (in the cloud from a Lockbox"
            f" secret), or remove this [[notify]].",
            where=variable,
        )
    if not _plausible(channel, secret):
        raise SettingsError(
            f"{variable}, which {place}.{key} in {file} names, does not hold {_expected(channel)}; set it"
            " anew.",
            where=variable,
        )
    return secret


def _variable(channel: Channel) -> tuple[str, str | None]:
    """The key that names the environment variable, and what it names."""
    match channel:
        case Telegram():
            return "token_env", channel.token_env
        case Slack():
            return "url_env", channel.url_env
        case Webhook():
            return "secret_env", channel.secret_env
        case Email():
            return "password_env", channel.password_env


def _plausible(channel: Channel, secret: str) -> bool:
    match channel:
        case Telegram():  # it becomes a part of the path
            return re.fullmatch(r"[A-Za-z0-9_-]+:[A-Za-z0-9_-]+", secret) is not None
        case Slack():
            return _is_url(secret)
        case Webhook():
            return signing_key(secret) is not None
        case Email():
            return True


def _expected(channel: Channel) -> str:
    match channel:
        case Telegram():
            return "a bot's token, as in 123456:ABC-DEF"
        case Slack():
            return "the URL of an incoming webhook"
        case _:
            return "a Standard Webhooks secret: whsec_ and Base64"
