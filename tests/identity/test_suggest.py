"""Who may be one person: names as people read them, times that fit, and nobody merged on either alone."""

from __future__ import annotations

import pytest
from histories import NOW, Delivery, send
from pipeline import Lab, Log

from streams.commands.identity import accounts_of
from streams.identity.fold import Account
from streams.identity.suggest import Life, normal, suggest

HOUR = 3600


def life(account: str, *hours: int) -> Life:
    """`chat:ann`, active in some hours of 2026, each at its start and 10 minutes later."""
    platform, account_id = account.split(":")
    base = 490_000
    first, last = (base + min(hours)) * HOUR, (base + max(hours)) * HOUR + 600
    return Life(Account(platform, account_id), account_id, first, last, frozenset(base + hour for hour in hours))


def pairs(*lives: Life, **linked: str) -> list[tuple[str, str, set[str]]]:
    known = {Account("chat", account): person for account, person in linked.items()}
    return [(":".join(each.one), ":".join(each.other), set(each.evidence)) for each in suggest(lives, known)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("小雨🌧", "小雨"),
        ("ＡＮＮ", "ann"),
        ("ｶﾅ", "カナ"),
        ("Jo-Ann", "jo ann"),
        ("☆小雨☆", "小 雨"),
        ("Ⅻ", "xii"),
        ("é", "e\u0301"),
        ("José", "jose"),
        ("Ёлка", "елка"),
        ("Ἀθηνᾶ", "αθηνα"),
        ("ｶﾞｰﾈｯﾄ", "ガーネット"),
        ("王小雨ＶＩＰ１", "王小雨vip1"),
        ("❤\ufe0f小雨", "小雨"),
        ("1\ufe0f\u20e3ann", "1ann"),
        ("👩🏽\u200d💻 हिन्दी", "हिन्दी"),
        ("ไทย ✨ น้ำ", "ไทยน้ำ"),
        ("葛\U000e0100城", "葛城"),
    ],
)
def test_names_are_one_name_as_people_read_them(one: str, other: str) -> None:
    assert normal(one) == normal(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann1", "ann2"),
        ("小雨", "小雪"),
        ("ann", "anna"),
        ("हिन्दी", "हन्द"),
        ("दिन", "दीन"),
        ("ปี", "ปา"),
        ("カ", "ガ"),
        ("น้ำ", "นำ"),
    ],
)
def test_names_that_people_tell_apart_stay_apart(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@pytest.mark.parametrize("name", ["हिन्दी", "สวัสดี", "กิ่งแก้ว", "வணக்கம்", "한글", "ガ"])
def test_marks_that_are_letters_to_whoever_reads_them_stay(name: str) -> None:
    assert name == normal(name)


def test_the_same_name_on_two_platforms_is_suggested_with_its_evidence() -> None:
    told = {"same name", "never together"}
    assert [("chat:小雨🌧", "shop:小雨", told)] == pairs(life("chat:小雨🌧", 1, 2, 3), life("shop:小雨", 5, 6, 7))
    # Acting in the same hours speaks neither for it nor against it.
    assert [("chat:ann", "shop:ANN", {"same name"})] == pairs(life("chat:ann", 1, 2, 3), life("shop:ANN", 2, 3, 4))


def test_chinese_names_that_share_characters_need_times_that_fit() -> None:
    told = {"shared characters", "never together"}
    assert [("chat:爱喝茶的王小雨", "shop:王小雨", told)] == pairs(
        life("chat:爱喝茶的王小雨", 1, 2, 3), life("shop:王小雨", 5, 6, 7)
    )
    assert [] == pairs(life("chat:爱喝茶的王小雨", 1, 2, 3), life("shop:王小雨", 2, 6, 7))


def test_one_account_that_stops_as_another_starts_looks_like_a_change_of_name() -> None:
    earlier = life("irc:robert", 1, 2, 3)
    after = Life(Account("irc", "bob"), "bob", earlier.last_s + 5, earlier.last_s + 9000, frozenset({9, 10, 11}))
    assert [("irc:bob", "irc:robert", {"one after the other", "never together"})] == pairs(earlier, after)


def test_who_is_one_person_already_is_not_suggested() -> None:
    lives = [life("chat:ann", 1, 2, 3), life("chat:Ann", 5, 6, 7)]
    assert [] == pairs(*lives, ann="ann", Ann="ann")
    assert 1 == len(pairs(*lives, ann="ann"))


def test_accounts_of_one_id_are_one_person_until_a_link_says_otherwise() -> None:
    lives = [life("chat:小雨", 1, 2, 3), life("shop:小雨", 5, 6, 7)]
    assert [] == pairs(*lives)
    assert [] == pairs(*lives, 小雨="小雨")
    assert [("chat:小雨", "shop:小雨", {"same name", "never together"})] == pairs(*lives, 小雨="王小雨")


def test_names_that_many_have_and_names_of_emoji_alone_say_nothing() -> None:
    assert [] == pairs(
        *(life(f"p{number}:guest{'!' * number}", 50 * number, 50 * number + 1, 50 * number + 2) for number in range(30))
    )
    assert [] == pairs(life("chat:🌧", 1, 2, 3), life("shop:☂", 5, 6, 7))


@pytest.mark.connected
def test_the_accounts_of_a_community_are_read_from_its_facts(lab: Lab) -> None:
    world, log = lab.world(), Log()
    sent = [
        {"event_id": "1", "member_id": "小雨🌧", "platform": "chat", "type": "message", "text": ""},
        {"event_id": "2", "member_id": "小雨", "platform": "shop", "type": "message", "text": ""},
        {"event_id": "3", "member_id": "bot", "platform": "chat", "type": "message", "text": "", "actor_kind": "bot"},
    ]
    deliveries = [
        Delivery(
            "message", {**each, "community_id": "tea", "occurred_at": NOW.isoformat()}, b"", int(NOW.timestamp() * 1000)
        )
        for each in sent
    ]
    send(deliveries, log, lab.settings.kafka.topic_prefix, world)
    lab.drain(log)
    [found] = suggest(*accounts_of(lab.warehouse, f"{world}tea"))
    assert ({"same name"}, 3.0) == (set(found.evidence), found.score)
