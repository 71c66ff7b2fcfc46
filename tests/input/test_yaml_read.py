"""Strict YAML: what plain scalars mean, where things stand, and what is refused early."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import CatalogError, Finding, Place
from generator.yaml_read import MAX_BYTES, MAX_DEPTH, MAX_FINDINGS, parse_yaml, read_yaml


def test_only_the_plain_words_of_yaml_1_2_have_a_meaning() -> None:
    """Of all plain scalars only null, true, false and decimal numbers are not text."""
    text = """
    words: [null, ~, true, false, True, yes, no, on, off, y, NULL]
    numbers: [0, 7, -7, +7, 2.5, -0.5, .5, 1e3, 2.50]
    texts: [010, 0x1F, 0o17, 1_000, 12:30:45, 2024-01-01, 1.2.3, .inf, .nan, 99.9%, 5432:5432]
    quoted: ["7", 'true', "null", ""]
    empty:
    """

    assert parse_yaml(text, "f").data == {
        "words": [None, None, True, False, "True", "yes", "no", "on", "off", "y", "NULL"],
        "numbers": [0, 7, -7, 7, 2.5, -0.5, 0.5, 1000.0, 2.5],
        "texts": [
            "010", "0x1F", "0o17", "1_000", "12:30:45", "2024-01-01", "1.2.3", ".inf", ".nan",
            "99.9%", "5432:5432",
        ],
        "quoted": ["7", "true", "null", ""],
        "empty": None,
    }  # fmt: skip


def test_place_is_that_of_the_key_or_item() -> None:
    """Each key and item stands where it is written; an unknown one at its nearest known ancestor."""
    document = parse_yaml("a: 1\nb:\n  - x\n  - {y: 2, z: [3]}\n", "f.yml")

    places = {
        (): (1, 1), ("a",): (1, 1), ("b",): (2, 1), ("b", 0): (3, 5), ("b", 1): (4, 5),
        ("b", 1, "z"): (4, 12), ("b", 1, "z", 0): (4, 16),
        ("c",): (1, 1), ("b", 7): (2, 1), ("b", 1, "q", "r"): (4, 5), ("a", "deeper"): (1, 1),
    }  # fmt: skip
    assert places == {
        keys: (document.place(*keys).line, document.place(*keys).column) for keys in places
    }


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(min_size=1, max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(data=_PLAIN, flow=st.booleans())
def test_reads_what_another_writer_wrote(data: object, flow: bool) -> None:
    """What PyYAML's own dumper writes (without aliases) comes back equal, however it is laid out."""

    class NoAliases(yaml.CSafeDumper):
        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
            return True

    text = yaml.dump(data, Dumper=NoAliases, default_flow_style=flow, allow_unicode=False)

    assert data == parse_yaml(text, "f").data


@given(text=st.text(alphabet=st.sampled_from(list("ab:-[]{}\"'&*!|>%@#?,\n\t 1\\")), max_size=60))
def test_any_text_is_data_or_a_finding_with_a_place(text: str) -> None:
    """No text whatever makes the reader raise anything but findings with a line."""
    findings: tuple[Finding, ...] = ()
    try:
        parse_yaml(text, "f")
    except CatalogError as error:
        findings = error.findings

    assert [finding for finding in findings if finding.place.line < 1 or not finding.fact] == []


def test_deep_nesting_is_refused_at_its_first_step_too_far() -> None:
    """A tower of a million brackets costs no more than the 33rd of them."""
    started = time.process_time()  # ours alone, however busy the machine is
    with pytest.raises(CatalogError) as caught:
        parse_yaml("[" * 1_000_000, "f")

    assert [Place("f", 1, MAX_DEPTH + 1)] == [f.place for f in caught.value.findings]
    assert time.process_time() - started < 1.0


def test_alias_bomb_is_never_expanded() -> None:
    """Thirty levels of nine aliases, 9^30 items if expanded, are one finding."""
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(CatalogError) as caught:
        parse_yaml("\n".join(lines), "f")

    assert [Place("f", 1, 5)] == [finding.place for finding in caught.value.findings]


def test_findings_of_one_file_are_bounded() -> None:
    """A file of 10,000 repeated keys gives the first hundred findings and a last word."""
    with pytest.raises(CatalogError) as caught:
        parse_yaml("a: 1\n" * 10_000, "f")

    assert len(caught.value.findings) == MAX_FINDINGS + 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x" * (MAX_BYTES + 1), "f: the file is larger than 16 MiB. Split it into several files."),
        (b"a: \xff", "f:1:4: the byte 0xff is not UTF-8. Save the file as UTF-8."),
        (b"a: 1\n\x00", "f:2:1: the character U+0000 is not allowed in YAML. Remove it."),
        (None, "f: the file cannot be read: no such file or directory. Check its name and rights."),
    ],
)
def test_unreadable_file_is_a_finding(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A file that is missing, too large, not UTF-8 or binary is named with the reason."""
    path = tmp_path / "f.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogError) as caught:
        read_yaml(path, "f")

    assert said == str(caught.value)


def test_folder_in_place_of_a_file_is_a_finding(tmp_path: Path) -> None:
    """A folder called like a file is reported, not raised as an OSError."""
    with pytest.raises(CatalogError) as caught:
        read_yaml(tmp_path, "f")

    assert "f: the file cannot be read: is a directory" in str(caught.value)


def test_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """A file saved with a byte order mark reads like one without."""
    (tmp_path / "f.yml").write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_yaml(tmp_path / "f.yml", "f").data == {"a": 1}


def test_collector_runs_again_afterwards() -> None:
    """Reading leaves the cycle collector as it found it, also when it fails."""
    assert gc.isenabled()
    with pytest.raises(CatalogError):
        parse_yaml("a: [", "f")

    assert gc.isenabled()
