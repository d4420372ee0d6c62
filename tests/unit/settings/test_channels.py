"""The channels of the settings: what the pages show is accepted, a bad table is named with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.settings.channels import KINDS, recipients
from shared.settings.settings import load
from tests.conftest import FOLDER
from tests.support.channels import HOOK, KEY, TOKEN
from tests.support.documentation import blocks_of


def test_what_the_documentation_shows_is_accepted(tmp_path: Path) -> None:
    shown = blocks_of("docs/notifications.md", "toml")[0].text
    file = tmp_path / "janitor.toml"
    file.write_text(shown)
    environment = {"JANITOR_CONFIG": str(file), "FOLDER_ID": FOLDER}

    channels = load(environment).notify

    assert {type(channel).__name__.lower() for channel in channels} == set(KINDS)
    secrets = {
        "TELEGRAM_TOKEN": TOKEN,
        "SLACK_URL": "https://h" + HOOK,
        "HOOK_SECRET": KEY,
        "SMTP_PASSWORD": "p",
    }
    assert len(recipients(channels, environment | secrets)) == len(channels)


BAD_TABLES = {
    "no list": ("notify = 5", ["notify", "[[notify]]"]),
    "no kind": ("[[notify]]\nurl = 'http://h'", ["notify[1].kind", "missing", "telegram, slack"]),
    "a kind that there isn't": ("[[notify]]\nkind = 'pager'", ["notify[1].kind", "pager", "telegram, slack"]),
    "a key of another kind": (
        "[[notify]]\nkind = 'slack'\nurl_env = 'U'\n[[notify]]\nkind = 'slack'\nurl = 'http://h'",
        ["notify[2].url", "kind slack", "url_env"],
    ),
    "a misspelt key": (
        "[[notify]]\nkind = 'telegram'\ntoken_env = 'T'\nchat = 1",
        ["notify[1].chat", "did you mean chat_id?"],
    ),
    "a token in the clear": (
        "[[notify]]\nkind = 'telegram'\ntoken_env = '1:AAH'\nchat_id = 1",
        ["notify[1].token_env", "environment variable"],
    ),
    "no chat": ("[[notify]]\nkind = 'telegram'\ntoken_env = 'T'", ["notify[1].chat_id", "missing"]),
    "a chat that is true": (
        "[[notify]]\nkind = 'telegram'\ntoken_env = 'T'\nchat_id = true",
        ["notify[1].chat_id"],
    ),
    "a time to tell that there isn't": (
        "[[notify]]\nkind = 'slack'\nurl_env = 'U'\non = 'never'",
        ["notify[1].on", "never", "always, changes or problems"],
    ),
    "a URL of another scheme": (
        "[[notify]]\nkind = 'webhook'\nsecret_env = 'S'\nurl = 'file:///etc/passwd'",
        ["notify[1].url", "file:"],
    ),
    "a URL with a line break": (
        '[[notify]]\nkind = "webhook"\nsecret_env = "S"\nurl = "http://h/\\r\\nHost: x"',
        ["notify[1].url"],
    ),
    "an address with a line break": (
        '[[notify]]\nkind = "email"\nhost = "h"\nfrom = "a@b\\nBcc: c@d"\nto = ["a@b"]',
        ["notify[1].from", "janitor@example.net"],
    ),
    "nobody to mail to": (
        "[[notify]]\nkind = 'email'\nhost = 'h'\nfrom = 'a@b'\nto = []",
        ["notify[1].to", "list of addresses"],
    ),
    "a user without a password": (
        "[[notify]]\nkind = 'email'\nhost = 'h'\nfrom = 'a@b'\nto = ['a@b']\nuser = 'u'",
        ["notify[1].password_env", "missing", "user"],
    ),
    "a password in the clear over the wire": (
        "[[notify]]\nkind = 'email'\nhost = 'h'\nfrom = 'a@b'\nto = ['a@b']\nuser = 'u'\npassword_env = 'P'"
        "\nsecurity = 'plain'",
        ["notify[1].security", "plain", "starttls"],
    ),
    "metrics that there aren't": ("[metrics]\nfolder = 'b1g'", ["metrics.folder", "metrics.folder_id"]),
    "an override of whom to tell": ("allow_overrides = ['notify']", ["allow_overrides", "notify"]),
}


@pytest.mark.parametrize(("text", "named"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_bad_table_is_named_with_its_key_and_what_would_be_accepted(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": FOLDER, "JANITOR_CONFIG": str(file)})
    for part in (str(file), *named):
        assert part in str(caught.value)
