"""What was taken in a moment ago is remembered for its time, and never more than so many."""

from __future__ import annotations

from remediation.web.seen import Seen


def test_a_thing_is_remembered_for_its_time() -> None:
    """Up to the time, not beyond; asking does not prolong it, adding it again does."""
    seen = Seen(within_s=10.0)
    seen.add(("a", 1.0, True), now=100.0)

    told = [seen.has(("a", 1.0, True), now) for now in (100.0, 109.9, 110.0)]
    seen.add(("a", 1.0, True), now=109.0)

    assert told == [True, True, False]
    assert seen.has(("a", 1.0, True), now=118.0)
    assert not seen.has(("a", 1.0, False), now=118.0)
    assert not seen.has(("a", 2.0, True), now=118.0)


def test_what_is_too_old_takes_no_memory() -> None:
    """A flood is forgotten with the first thing that comes after its time."""
    seen = Seen(within_s=10.0)
    for number in range(1000):
        seen.add(number, now=100.0)
    seen.add("later", now=110.1)

    assert len(seen._at) == 1
    assert seen.has("later", now=110.1)


def test_the_oldest_goes_when_there_are_too_many() -> None:
    """What was added again is young."""
    seen = Seen(within_s=10.0, most=2)
    for thing in ("a", "b", "a", "c"):
        seen.add(thing, now=100.0)

    assert [seen.has(thing, now=100.0) for thing in ("a", "b", "c")] == [True, False, True]
