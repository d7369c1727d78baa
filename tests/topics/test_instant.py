"""Times in events: what the one rule reads, as which moment, and that the published pattern says the same."""

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.topics.instant import PATTERN, instant_text, read_instant

SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-07T21:04:11Z", datetime(2026, 3, 7, 21, 4, 11, tzinfo=UTC)),
        ("2026-03-07t21:04:11z", datetime(2026, 3, 7, 21, 4, 11, tzinfo=UTC)),
        ("2026-03-07 21:04:11+08:00", datetime(2026, 3, 7, 21, 4, 11, tzinfo=SHANGHAI)),
        ("2026-03-07T21:04:11+0800", datetime(2026, 3, 7, 21, 4, 11, tzinfo=SHANGHAI)),
        ("2026-03-07T21:04:11-00:00", datetime(2026, 3, 7, 21, 4, 11, tzinfo=UTC)),
        ("2026-03-07T21:04:11.5Z", datetime(2026, 3, 7, 21, 4, 11, 500_000, tzinfo=UTC)),
        ("2026-03-07T21:04:11.123456499Z", datetime(2026, 3, 7, 21, 4, 11, 123_456, tzinfo=UTC)),
        ("2026-03-07T21:04:11.1234567Z", datetime(2026, 3, 7, 21, 4, 11, 123_457, tzinfo=UTC)),
        ("2026-03-07T21:04:11.9999999Z", datetime(2026, 3, 7, 21, 4, 12, tzinfo=UTC)),
        ("2024-02-29T00:00:00+23:59", datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=23, minutes=59)))),
    ],
)
def test_a_zoned_time_is_read_to_the_microsecond(text: str, moment: datetime) -> None:
    assert moment == read_instant(text)
    assert moment.utcoffset() == read_instant(text).utcoffset()


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-07T21:04:11", "2026-03-07T21:04Z", "2026-03-07", "2016-12-31T23:59:60Z", "2026-03-07T24:00:00Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-03-07T21:04:11+24:00",
        "2026-03-07T21:04:11+08", "2026-03-07T21:04:11+08:60", "2026-03-07T21:04:11.Z", "2026-03-07T21:04:11,5Z",
        " 2026-03-07T21:04:11Z", "2026-03-07T21:04:11Z\n", "2026-3-7T21:04:11Z", "20260307T210411Z", "now", "",
        "２026-03-07T21:04:11Z", "9999-12-31T23:59:59.9999999Z", "\ud800", 1772888651, 1.5, None, True, b"2026",
        datetime(2026, 3, 7),  # noqa: DTZ001 - a naive time is what must be refused
        datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),  # an offset with seconds
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example_of_what_is_meant(value: object) -> None:
    with pytest.raises(ValueError, match="such as 2026-01-31T08:30:00"):
        read_instant(value)


@given(st.datetimes(timezones=st.timezones()))
def test_an_aware_datetime_is_taken_as_its_own_moment_and_writes_what_is_read(moment: datetime) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    if offset % timedelta(minutes=1):
        return
    assert moment.isoformat() == read_instant(moment).isoformat()
    assert read_instant(moment) == read_instant(instant_text(read_instant(moment)))


nearly = st.from_regex(
    r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
    r"(\.[0-9]{0,9})?([Zz]|[+-][0-2][0-9]:?[0-6][0-9])?\n?\Z"
)


@given(nearly)
def test_the_published_pattern_reads_what_the_parser_reads_but_for_the_calendar(text: str) -> None:
    try:
        read_instant(text)
        read = True
    except ValueError:
        read = False
    shaped = re.search(PATTERN.removesuffix("$") + r"\Z", text) is not None
    try:
        datetime.strptime(text[:10], "%Y-%m-%d")  # noqa: DTZ007 - only the date is looked at
        dated = True
    except ValueError:
        dated = False
    # Only the very last half microsecond of the year 9999 has a good shape and date and no moment.
    assert read == (shaped and dated) or text.startswith("9999-12-31")
