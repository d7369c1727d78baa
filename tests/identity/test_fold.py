"""Who is who: by hand, and against the search of the tests on made-up corrections in any order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import event_time
from oracles.corrections import Community

from streams.identity.fold import Account, Correction, Standing, fold
from streams.identity.touched import always_themselves, touched

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MS = int(NOON.timestamp() * 1000)


def link(at: int, one: str, other: str, action: str = "link") -> Correction:
    """`chat:ann` as an account of a platform."""
    (platform, account), (linked_platform, linked) = one.split(":"), other.split(":")
    return Correction(f"{action}{at}", at, platform, account, action, linked_platform, linked)


def unlink(at: int, one: str, other: str) -> Correction:
    return link(at, one, other, "unlink")


def moderate(at: int, action: str, **fields: str) -> Correction:
    return Correction(f"{action}{at}", at, "chat", "mo", action, **fields)


def people(*corrections: Correction) -> dict[str, str]:
    return {":".join(account): person for account, person in fold(corrections).people.items()}


def test_a_person_is_called_as_in_the_earliest_link_that_holds() -> None:
    assert {"chat:bo": "bo", "shop:b1": "bo"} == people(link(5, "chat:bo", "shop:b1"))
    chain = [link(5, "chat:bo", "shop:b1"), link(3, "forum:bob", "shop:b1"), link(9, "chat:bo", "desk:b")]
    assert {"chat:bo": "bob", "shop:b1": "bob", "forum:bob": "bob", "desk:b": "bob"} == people(*chain)


def test_an_unlink_splits_what_nothing_else_joins() -> None:
    links = [link(1, "chat:a", "shop:b"), link(2, "shop:b", "desk:c"), link(3, "desk:c", "forum:d")]
    assert {"chat:a": "a", "shop:b": "a", "desk:c": "c", "forum:d": "c"} == people(
        *links, unlink(4, "desk:c", "shop:b")
    )
    around = link(2, "chat:a", "forum:d")
    assert {"a"} == set(people(*links, around, unlink(4, "shop:b", "desk:c")).values())


def test_linked_again_holds_from_then_on_and_linked_twice_from_the_first() -> None:
    once_more = [link(1, "chat:a", "shop:b"), unlink(2, "chat:a", "shop:b"), link(7, "shop:b", "chat:a")]
    assert {"chat:a": "b", "shop:b": "b"} == people(*once_more)
    assert {"chat:a": "a", "shop:b": "a"} == people(link(1, "chat:a", "shop:b"), link(7, "shop:b", "chat:a"))


def test_an_account_linked_with_itself_or_only_unlinked_is_nobody_else() -> None:
    assert {} == people(link(1, "chat:a", "chat:a"), unlink(2, "chat:a", "shop:b"))


def test_standing_is_of_the_person_over_all_accounts_and_the_latest_holds() -> None:
    said = [
        link(1, "chat:bo", "shop:b1"),
        Correction("f", 5, "shop", "mo", "flag", target_member_id="b1", flagged_kind="bot"),
        moderate(4, "flag", target_member_id="bo", flagged_kind="staff"),
    ]
    assert {"bo": Standing("bot")} == fold(said).standing
    assert {} == fold([*said, moderate(6, "flag", target_member_id="bo")]).standing
    assert {"b1": Standing("bot"), "bo": Standing("staff")} == fold([*said, unlink(7, "chat:bo", "shop:b1")]).standing
    assert {"bo": Standing("bot", hidden=True)} == fold([*said, moderate(6, "hide", target_member_id="bo")]).standing


def test_erasure_is_for_ever() -> None:
    said = [moderate(1, "erase", target_member_id="bo"), moderate(2, "restore", target_member_id="bo")]
    assert {"bo": Standing(hidden=True, erased=True)} == fold(said).standing
    events = [
        moderate(1, "erase", target_id="e"),
        moderate(2, "restore", target_id="e"),
        moderate(3, "hide", target_id="f"),
    ]
    assert {"e": True, "f": False} == fold(events).hidden


def erased(*corrections: Correction) -> set[str]:
    """Persons who are erased, in whatever order it is said."""
    backwards = fold(reversed(corrections)).standing
    assert backwards == fold(corrections).standing
    return {person for person, standing in backwards.items() if standing.erased and standing.hidden}


def test_an_unlink_brings_back_nobody_who_was_erased() -> None:
    linked, cut = link(1, "chat:ann", "shop:a1"), unlink(3, "chat:ann", "shop:a1")
    for name in ("ann", "a1"):
        said = Correction("erase", 2, "shop", "mo", "erase", target_member_id=name)
        assert {"ann"} == erased(linked, said)
        assert {"ann", "a1"} == erased(linked, said, cut)
    # Whoever gets an account that was erased is erased with all they have; whoever was cut off before is not.
    said = moderate(2, "erase", target_member_id="ann")
    assert {"ann", "bo"} == erased(linked, said, cut, link(4, "desk:bo", "shop:a1"), link(5, "desk:bo", "chat:b2"))
    assert {"ann"} == erased(link(0, "chat:ann", "shop:a1"), unlink(1, "shop:a1", "chat:ann"), said)
    assert {"ann"} == erased(link(2, "chat:ann", "shop:a1"), unlink(3, "shop:a1", "chat:ann"), said)


def test_an_erasure_takes_whoever_was_called_so_then_on_whatever_platform() -> None:
    # Nobody linked chat:ann: the moderator names the person as links of other platforms call them.
    linked, said = link(1, "forum:ann", "shop:a1"), moderate(2, "erase", target_member_id="ann")
    assert {"ann", "a1"} == erased(linked, said, unlink(3, "forum:ann", "shop:a1"))
    # Where the account of that name was somebody's second one, that person is meant, and it stays erased without them.
    elsewhere = link(1, "desk:cy", "chat:ann")
    assert {"cy"} == erased(linked, elsewhere, said)
    assert {"cy", "ann"} == erased(linked, elsewhere, said, unlink(3, "desk:cy", "chat:ann"))
    # An account without links was the person of its name.
    assert {"ann", "bo"} == erased(said, link(3, "desk:bo", "shop:ann"))


def test_what_names_an_event_says_nothing_of_its_author() -> None:
    state = fold([moderate(1, "hide", target_id="e", target_member_id="bo")])
    assert ({"e": False}, {}) == (state.hidden, state.standing)


def test_touched_are_all_accounts_of_all_who_are_named_before_and_after() -> None:
    links = [link(1, "chat:a", "shop:b"), link(2, "shop:b", "desk:c"), link(3, "desk:c", "forum:d")]
    cut = unlink(4, "desk:c", "shop:b")
    assert {"a", "b", "c", "d"} == touched([cut], fold([*links, cut])).accounts
    assert {"a", "b", "c", "d"} == touched([links[0]], fold(links)).accounts
    assert {"d", "c", "e"} == touched([link(9, "forum:d", "x:e")], fold([*links, cut])).accounts
    assert {"x"} == touched([moderate(5, "flag", target_member_id="x")], fold(links)).accounts
    assert ({"a", "b", "c", "d"}, {"e"}) == touched(
        [moderate(5, "flag", target_member_id="a"), moderate(6, "hide", target_id="e")], fold(links)
    )


def test_whoever_others_are_linked_to_is_not_touched_unless_something_else_may_be_said_of_them() -> None:
    links = [link(1, "chat:a", "shop:b"), link(2, "chat:a", "desk:c")]
    assert {"b", "c"} == touched([links[1]], fold(links), links).accounts
    assert {"a", "b", "c"} == touched([links[1]], fold(links), links, hosts=["b"]).accounts
    flag = moderate(3, "flag", target_member_id="c")
    assert {"a", "b", "c"} == touched([links[1]], fold([*links, flag]), [*links, flag]).accounts
    # A link that holds no longer, or never did beside the earlier ones, has made somebody else of them, or may.
    for other in (link(4, "forum:d", "chat:a"), link(0, "desk:c", "chat:a")):
        assert {"a", "b", "c"} <= touched([links[1]], fold(links), [*links, other]).accounts
    # On another platform the same id is somebody else's second account.
    elsewhere = link(5, "desk:x", "forum:a")
    assert {"a", "b", "c"} == touched([links[1]], fold([*links, elsewhere]), [*links, elsewhere]).accounts


def test_whom_a_link_that_came_late_binds_is_touched_though_nothing_connects_them_now() -> None:
    linked, said = link(1, "chat:ann", "shop:a1"), moderate(3, "erase", target_member_id="ann")
    second, cut = link(2, "shop:a1", "desk:a2"), unlink(4, "shop:a1", "desk:a2")
    every = [linked, second, said, cut]
    assert {"ann", "a1", "a2"} == erased(*every, unlink(5, "chat:ann", "shop:a1"))
    assert {"ann", "a1", "a2"} == touched([linked], fold(every), every).accounts
    assert {"ann", "a1", "a2"} == touched([said], fold(every), every).accounts
    # Not by what says nothing of who is bound, nor where nobody was erased.
    assert {"a2"} == touched([moderate(6, "flag", target_member_id="a2")], fold(every), every).accounts
    assert {"a1"} == touched([linked], fold([linked, second, cut]), [linked, second, cut]).accounts - {"ann"}


def test_whoever_was_called_as_one_who_was_erased_is_not_always_themselves() -> None:
    erasure = Correction("erase", 2, "desk", "mo", "erase", target_member_id="n")
    said = [link(1, "forum:p", "desk:n"), erasure, link(3, "chat:a", "shop:p")]
    assert {"a", "p"} == erased(*said)
    assert {"a", "n", "p"} == touched([erasure], fold(said), said).accounts


def test_whoever_was_one_person_with_them_by_name_alone_is_touched() -> None:
    said = [link(5, "chat:b", "shop:a"), link(6, "desk:b", "desk:d"), moderate(9, "flag", target_member_id="b")]
    said[2] = said[2]._replace(flagged_kind="bot")
    assert {"b": Standing("bot")} == fold(said).standing
    late = link(4, "forum:a", "shop:a")
    assert {"a": Standing("bot")} == fold([*said, late]).standing
    assert {"a", "b", "d"} == touched([late], fold([*said, late]), [*said, late]).accounts


accounts = st.sampled_from([Account(platform, name) for platform in ("chat", "shop") for name in "abcd"])


ACTIONS = ("link", "link", "link", "unlink", "hide", "restore", "flag", "erase")
ERASURES = ("link", "link", "unlink", "erase", "flag")


@st.composite
def facts(draw: st.DrawFn, actions: tuple[str, ...] = ACTIONS) -> dict[str, Any]:
    """An identity or moderation fact as the contract has it."""
    action = draw(st.sampled_from(actions))
    one, other = draw(accounts), draw(accounts)
    fact = {
        "event_id": f"e{draw(st.integers(0, 10_000))}",
        "community_id": "tea",
        "platform": one.platform,
        "member_id": one.account_id,
        "occurred_at": (NOON + timedelta(seconds=draw(st.integers(0, 9)))).isoformat(),
    }
    if action in ("link", "unlink"):
        linked = {"linked_platform": other.platform, "linked_account_id": other.account_id}
        return fact | linked | {"type": "identity", "action": action}
    return fact | {
        "type": "moderation",
        "action": action,
        "target_id": draw(st.sampled_from(["", "", "x"])),
        "target_member_id": draw(st.sampled_from(["", "a", "b", "c"])),
        "flagged_kind": draw(st.sampled_from(["", "bot", "staff"])),
    }


def correction(fact: dict[str, Any]) -> Correction:
    fields = {name: fact[name] for name in Correction._fields if name in fact}
    return Correction(at_ms=int(event_time(fact).timestamp()) * 1000, **fields)


@settings(max_examples=300, deadline=None)
@given(st.lists(facts(), max_size=14, unique_by=lambda fact: fact["event_id"]), st.randoms())
def test_the_fold_answers_as_the_search_does_in_whatever_order(said: list[dict[str, Any]], random: Random) -> None:
    asked = Community(said, event_time)
    shuffled = list(said)
    random.shuffle(shuffled)
    state = fold(map(correction, shuffled))
    assert fold(map(correction, said)) == state
    for platform in ("chat", "shop"):
        for name in "abcd":
            person = asked.person((platform, name))
            assert person == state.person(Account(platform, name))
            standing = state.standing.get(person, Standing())
            for event_id in ("x", "z"):
                fact = {"event_id": event_id, "actor_kind": "test"}
                counts = not standing.hidden and event_id not in state.hidden
                assert (asked.counts(fact, person), asked.kind(fact, person)) == (counts, standing.actor_kind or "test")


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(facts(ERASURES), st.integers(1, 3)),
        min_size=4,
        max_size=10,
        unique_by=lambda each: each[0]["event_id"],
    )
)
def test_all_whose_facts_are_others_than_before_are_touched(said: list[tuple[dict[str, Any], int]]) -> None:
    """Of each correction is drawn whether it went (1), came (2), or stays (3)."""
    every = [(correction(fact), when) for fact, when in said]
    before, after = (fold(each for each, when in every if when & side) for side in (1, 2))
    named = touched([each for each, when in every if when != 3], after, [each for each, _ in every])
    for platform in ("chat", "shop", "desk"):
        for name in "abcd":
            told = {
                (person, state.standing.get(person))
                for state in (before, after)
                for person in [state.person(Account(platform, name))]
            }
            assert len(told) == 1 or name in named.accounts


@settings(max_examples=300, deadline=None)
@given(st.lists(facts(), max_size=8, unique_by=lambda fact: fact["event_id"]), st.randoms())
def test_those_who_are_always_themselves_are_so_whichever_corrections_hold(
    said: list[dict[str, Any]], random: Random
) -> None:
    every = list(map(correction, said))
    some = fold(each for each in every if random.random() < 0.5)
    for name in always_themselves(every, hosts=()):
        assert {name} == {some.person(Account(platform, name)) for platform in ("chat", "shop")}
        assert name not in some.standing
