"""What is a URL here, what its parts are, and what is none."""

from __future__ import annotations

import pytest

from shared.cloud.address import LONGEST, Address, read

URLS = {
    "a host": ("https://api.example.net", Address("https", "api.example.net", 443), "https://api.example.net"),
    "a port": ("http://localhost:8080/a?b=1", Address("http", "localhost", 8080, "/a", "b=1"), "http://localhost:8080"),
    "its usual port": ("https://a:443/", Address("https", "a", 443, "/"), "https://a"),
    "capitals": ("HTTPS://API.Example.NET/A", Address("https", "api.example.net", 443, "/A"), "https://api.example.net"),
    "IPv6": ("http://[::1]:80/x", Address("http", "[::1]", 80, "/x"), "http://[::1]"),
}  # fmt: skip

NO_URLS = {
    "a user": "https://me@api.example.net",
    "a backslash": "https://a\\@b",
    "white space": "https://a b",
    "a line break at its end": "https://a\n",
    "a fragment": "https://a/#b",
    "another scheme": "ftp://a",
    "no host": "https:///a",
    "port 0": "https://a:0",
    "too great a port": "https://a:65536",
    "two dots": "https://a..b",
    "an escape in the host": "https://a%2eb",
    "a letter beyond ASCII": "https://ä.example",
    "no IPv6 address": "https://[::1::2]",
    "too long a host": f"https://{'a' * 254}",
    "too long": "https://a/" + "b" * LONGEST,
}


@pytest.mark.parametrize("name", URLS)
def test_a_url_is_read_in_its_parts(name: str) -> None:
    url, address, origin = URLS[name]
    assert (read(url), read(url).origin) == (address, origin)


@pytest.mark.parametrize("name", NO_URLS)
def test_what_has_two_readings_is_no_url(name: str) -> None:
    with pytest.raises(ValueError):
        read(NO_URLS[name])
