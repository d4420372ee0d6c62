"""What the tests of patterns, of their matching and of hard tags share: patterns, and tags for them."""

from __future__ import annotations

from hypothesis import strategies as st

# A pattern, and a tag on which it takes (nearly) for ever.
BAD = {
    "forty alternatives that begin alike": ("(?:a|aa)" * 40 + "b", "a" * 70),
    "a repeated alternative": ("(a|aa)+b", "a" * 126 + "b!"),
    "without a group": ("(?:a|aa)+b", "a" * 126 + "b!"),
    "of digits": (r"v(?:\d|\d\d)+x", "v" + "0" * 125 + "x!"),
    "behind a prefix": ("feature-(a|aa)+b", "feature-" + "a" * 118 + "b!"),
    "behind alternatives": ("(dev|test)-(?:x|xx)+y", "dev-" + "x" * 120 + "y!"),
    "behind anything": (".*x(?:a|aa)+b", "x" + "a" * 125 + "b!"),
    "in a named group": ("(?P<group>(?:a|aa)+)b", "a" * 126 + "b!"),
    "of three lengths": ("(?:a|aa|aaa)+b", "a" * 126 + "b!"),
    "of classes that overlap": (r"(?:[a-z]|[a-f]|\d)+z", "a" * 126 + "z!"),
    "of anything and a letter": ("(?:.|a)+b", "a" * 126 + "b!"),
    "of two letters": ("(a|ab|b)+c", "ab" * 63 + "c!"),
    "of words that share letters": ("(?:dev|de|d|v|ev)+x", "dev" * 42 + "x!"),
    "of alternatives of alternatives": ("(?:(?:a|ab)|(?:b|ba))+c", "ab" * 63 + "c!"),
    "in any case": ("(?i)(?:a|aa)+B", "a" * 126 + "b!"),
    "at least twice": ("(?:x|y|xy){2,}z", "xy" * 63 + "z!"),
    "with captures": ("(?:(a)|(aa))+b", "a" * 126 + "b!"),
    "with an empty alternative": ("(?:(?:ab|a)(?:b|))+c", "ab" * 63 + "c!"),
    "in a look ahead": ("(?=(?:a|aa)+b)a+b.+", "a" * 125 + "cb"),
    "behind a possessive repetition": ("(?:aa|a)*+b(?:c|cc)+d", "ab" + "c" * 124 + "d!"),
    "before an extension": (r"(?:a|aa)+\.tmp", "a" * 122 + ".tmp!"),
    "between words": (r"release-(?:\d|\d\d|\d\d\d)+-final", "release-" + "0" * 110 + "-final!"),
}  # fmt: skip


# A pattern, a tag that it matches, and one that it does not.
ORDINARY = {
    "all": (".*", "latest", "two\nlines"),
    "a word": ("latest", "latest", "latest1"),
    "one of several": ("latest|stable|prod", "stable", "stable-1"),
    "a prefix": ("feature-.*", "feature-x", "a-feature-x"),
    "a suffix": (".*-dev", "app-dev", "app-dev2"),
    "a part": (".*-rc-.*", "v1-rc-2", "v1-rc2"),
    "a branch": ("feature-(?P<group>[^-]+)-.*", "feature-login-12", "feature-login"),
    "a pull request": (r"pr-\d+", "pr-12", "pr-x"),
    "a release": (r"v\d+\.\d+\.\d+", "v1.2.3", "v1.2"),
    "a release or a candidate": (r"v?\d+\.\d+\.\d+(-rc\d+)?", "1.2.3-rc4", "1.2.3-rc"),
    "any number of numbers": (r"v?\d+(\.\d+)*", "v1.2.3.4", "v1..2"),
    "a version as semver.org has it": (
        r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
        r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
        "1.0.0-alpha.1", "01.0.0",
    ),
    "a commit": ("[0-9a-f]{40}", "0123456789" * 4, "0123456789"),
    "a short commit": ("(sha-)?[0-9a-f]{7,12}", "sha-abcdef0", "sha-abc"),
    "a branch and a commit": ("^main-[0-9a-f]{7,40}$", "main-abcdef0", "main-xyz"),
    "an environment": ("(dev|test|stage)-.*", "test-1", "prod-1"),
    "all but": (r"(?!latest$|v\d).*", "x", "v1"),
    "a date": (r"\d{4}-\d{2}-\d{2}", "2026-11-26", "26-11-2026"),
    "a date and a number": (r"nightly\.20\d{6}(\.\d+)?", "nightly.20261126.1", "nightly.2026"),
    "in any case": ("(?i)snapshot-.*", "SNAPSHOT-1", "SHOT-1"),
    "words with hyphens": (r"[a-z0-9]+(-[a-z0-9]+)*", "a-b-c", "a--b"),
    "three words": (r"\w+-\w+-\w+", "a-b-c", "a-b"),
    "a signature": (r"sha256-[0-9a-f]{64}\.(sig|att|sbom)", f"sha256-{'0' * 64}.sig", "sha256-0.sig"),
    "a repetition of repetitions": ("(a+)+b", "aab", "aac"),
    "letters of any alphabet": (r"\p{L}+", "тег", "тег1"),
}  # fmt: skip

PIECES = ["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:ab|a)", "-", r"\w", r"\d", "|", "(", ")"]
COUNTS = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "*?", "{,2}"]

TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(COUNTS)), max_size=6).map(
    lambda pairs: "".join(piece + count for piece, count in pairs)
)

TAGS = st.text("ab-0", max_size=12)
