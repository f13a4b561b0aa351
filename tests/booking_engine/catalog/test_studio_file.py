"""studio.toml is read strictly: what cannot be meant is refused with its line and a cure."""

import pytest

from booking_engine.catalog import studio_file
from booking_engine.catalog.studio_file import StudioFileError, locate, minor_units
from tests.factories.studio import DEMO_FILE, demo_text

TEXT = DEMO_FILE.read_text()
LINES = TEXT.splitlines()


def line_of(text: str, words: str) -> int:
    return next(at for at, line in enumerate(text.splitlines(), start=1) if words in line)


def test_the_demo_file_reads() -> None:
    studio = studio_file.read(TEXT, name="studio.toml")

    assert (studio.studio.shop, studio.studio.currency) == ("birdie-bay.myshopify.com", "CAD")
    assert [bay.handle for bay in studio.simulator] == ["bay-1", "bay-2", "bay-3", "bay-4"]
    assert [coach.handle for coach in studio.coach] == ["ana", "ben"]
    assert [studio.price_minor(product) for product in studio.product] == [4500, 6000, 40000]
    assert studio.coaching.sessions == {"30": 1, "60": 1, "90": 2}
    assert [(tier.hours, tier.percent) for tier in studio.policy.cancel] == [(48, 100), (24, 50)]
    assert studio.location[0].closed[0].reason == "Christmas"


def test_a_file_may_leave_the_policy_to_its_defaults() -> None:
    start, end = TEXT.index("[policy]"), TEXT.index("[[location]]")

    studio = studio_file.read(TEXT[:start] + TEXT[end:], name="studio.toml")

    assert studio == studio_file.read(TEXT, name="studio.toml")


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        (
            'name = "Birdie Bay"',
            'nmae = "Birdie"\nname = "Birdie Bay"',
            "studio.nmae: unknown key; remove it or mend its spelling",
        ),
        (
            "players = 4\n\n[[coach]]",
            "player = 4\n\n[[coach]]",
            "simulator[3].player: unknown key; remove it or mend its spelling",
        ),
        (
            'shop = "birdie-bay.myshopify.com"',
            'shop = "birdiebay.com"',
            'studio.shop: "birdiebay.com" is no shop; write "name.myshopify.com"',
        ),
        (
            'currency = "CAD"',
            'currency = "CDN"',
            'studio.currency: "CDN" is no ISO 4217 currency; write "CAD"',
        ),
        (
            "step_minutes = 30",
            "step_minutes = 7",
            "policy.step_minutes: Input should be a multiple of 5",
        ),
        (
            "lead_minutes = 120",
            'lead_minutes = "two hours"',
            "policy.lead_minutes: Input should be a valid integer",
        ),
        (
            "cancel = [ { hours = 48, percent = 100 }, { hours = 24, percent = 50 } ]",
            "cancel = [ { hours = 24, percent = 50 }, { hours = 48, percent = 100 } ]",
            "policy.cancel: tiers go from the most hours to the least, each once",
        ),
        (
            'timezone = "America/Toronto"',
            'timezone = "Toronto"',
            'location[0].timezone: "Toronto" is no IANA time zone; write "America/Toronto"',
        ),
        (
            'mon-fri = ["09:00-22:00"]',
            'mon-fri = ["9am-10pm"]',
            'location[0].hours: "9am" is no time of day; write it as "09:30"',
        ),
        (
            'mon-fri = ["09:00-22:00"]',
            'mon-fri = ["09:00-22:00", "21:00-23:00"]',
            "location[0].hours: two openings overlap at mon 21:00",
        ),
        (
            'from = "2026-12-25T00:00", to = "2026-12-26T00:00"',
            'from = "2026-12-26T00:00", to = "2026-12-25T00:00"',
            'location[0].closed[0]: "2026-12-26T00:00" to "2026-12-25T00:00" ends before it starts',
        ),
        (
            'handle = "bay-3"',
            'handle = "bay-2"',
            "simulator[2].handle: bay-2 is named twice",
        ),
        (
            'handle = "bay-3"',
            'handle = "Bay 3"',
            'simulator[2].handle: "Bay 3" is no handle; use a-z, 0-9 and "-"',
        ),
        (
            'handle = "ben"',
            'handle = "any"',
            'coach[1].handle: "any" is taken: it means "any coach"',
        ),
        (
            'location = "main"\nname = "Bay 2"',
            'location = "mian"\nname = "Bay 2"',
            'simulator[1].location: no location is called "mian"',
        ),
        (
            'hours = { tue-thu = ["12:00-20:00"] }',
            'hours = { tue-thurs = ["12:00-20:00"] }',
            'coach[0].hours: "tue-thurs" is no weekday; write one of mon, tue, wed, thu, fri, sat,'
            ' sun or "mon-fri"',
        ),
        (
            "sessions = { 30 = 1, 60 = 1, 90 = 2 }",
            "sessions = { 30 = 1, 60 = 1 }",
            "coaching.sessions: minutes and sessions must name the same lengths: 90",
        ),
        (
            "variant = 44000000000002",
            "variant = 44000000000001",
            "product[1].variant: 44000000000001 is named twice",
        ),
        (
            'price = "60.00"',
            'price = "60.005"',
            'product[1].price: "60.005" is no amount in CAD, which has 2 decimals',
        ),
        (
            'price = "60.00"',
            'price = "sixty"',
            'product[1].price: "sixty" is no amount; write "45.00"',
        ),
        (
            'price = "60.00"',
            'price = "-60.00"',
            'product[1].price: "-60.00" is no amount in CAD, which has 2 decimals',
        ),
        ('price = "60.00"', "price = 60.00", "product[1].price: Input should be a valid string"),
        (
            "grants = { coaching_sessions = 1 }",
            "grants = {}",
            "product[1].grants: a product grants something",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(old: str, new: str, refusal: str) -> None:
    changed = demo_text(**{old: new})

    with pytest.raises(StudioFileError) as error:
        studio_file.read(changed, name="studio.toml")

    line = changed[: changed.rindex(new)].count("\n") + 1
    assert error.value.problems == [f"studio.toml:{line}: {refusal}"]


def test_what_is_missing_is_told_at_the_head_of_its_entry() -> None:
    without = demo_text(**{'handle = "ben"\n': ""})

    with pytest.raises(StudioFileError) as error:
        studio_file.read(without, name="studio.toml")

    head = line_of(without, 'name = "Ben"') - 1
    assert error.value.problems == [
        f"studio.toml:{head}: coach[1].handle: missing; every entry needs it"
    ]


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    bad = demo_text(**{'price = "400.00"': "price = 400", "free_moves = 1": "free_moves = 99"})

    with pytest.raises(StudioFileError) as error:
        studio_file.read(bad, name="studio.toml")

    assert [problem.split(": ")[1] for problem in error.value.problems] == [
        "policy.free_moves",
        "product[2].price",
    ]
    assert str(error.value) == "\n".join(error.value.problems)


def test_what_is_not_toml_is_refused_at_its_line() -> None:
    broken = demo_text(**{'name = "Ben"': "name = Ben"})

    with pytest.raises(StudioFileError) as error:
        studio_file.read(broken, name="studio.toml")

    line = line_of(broken, "name = Ben")
    assert error.value.problems[0].startswith(f"studio.toml:{line}: not TOML: ")


def test_an_empty_file_is_told_what_it_lacks() -> None:
    with pytest.raises(StudioFileError) as error:
        studio_file.read("", name="x.toml")

    assert error.value.problems == [
        f"x.toml:1: {table}: missing; every entry needs it"
        for table in ("location", "service", "simulator", "studio")
    ]


def test_a_refusal_speaks_of_the_file_and_not_of_our_code() -> None:
    flat = demo_text(**{"burn = { simulator_minutes = 60, per_minutes = 60 }": "burn = 60"})

    with pytest.raises(StudioFileError) as error:
        studio_file.read(flat, name="studio.toml")

    line = line_of(flat, "burn = 60")
    assert error.value.problems[0].startswith(f"studio.toml:{line}: service[0].burn: ")
    assert "BurnPart" not in error.value.problems[0]


@pytest.mark.parametrize("table", ['[[coaches]]\nhandle = "eve"', '[discounts]\nhalf = "price"'])
def test_an_unknown_table_is_pointed_at(table: str) -> None:
    text = f"{TEXT}\n{table}\n"

    with pytest.raises(StudioFileError) as error:
        studio_file.read(text, name="studio.toml")

    line = line_of(text, table.split("\n")[0])
    assert error.value.problems[0].startswith(f"studio.toml:{line}: ")
    assert error.value.problems[0].endswith("unknown key; remove it or mend its spelling")


@pytest.mark.parametrize("price", ["1e999999", "1e30", "NaN", "Infinity", ""])
def test_a_price_that_no_shop_could_ask_is_refused(price: str) -> None:
    text = demo_text(**{'price = "60.00"': f'price = "{price}"'})

    with pytest.raises(StudioFileError, match="price") as error:
        studio_file.read(text, name="studio.toml")

    assert len(error.value.problems) == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("studio", "currency"), 'currency = "CAD"'),
        (("policy", "cancel", 1, "percent"), "cancel = ["),
        (("location", 0, "hours"), "hours = { mon-fri"),
        (("location", 0, "closed", 0, "from"), "closed = ["),
        (("simulator", 2, "name"), 'name = "Bay 3"'),
        (("coach", 0, "extra", 0), "extra = ["),
        (("product", 2, "valid_days"), "valid_days = 365"),
        (("product", 1, "grants", "coaching_sessions"), "grants = { coaching_sessions = 1 }"),
        (("coaching",), "[coaching]"),
    ],
)
def test_a_value_is_located_on_its_line(path: tuple[str | int, ...], words: str) -> None:
    assert LINES[locate(TEXT, path) - 1].startswith(words)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("45.00", "CAD", 4500),
        ("45", "CAD", 4500),
        ("0", "CAD", 0),
        ("4500", "JPY", 4500),
        ("12.345", "KWD", 12345),
    ],
)
def test_an_amount_is_told_in_minor_units(amount: str, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


def test_an_amount_with_more_decimals_than_the_currency_is_refused() -> None:
    with pytest.raises(ValueError, match=r'"4500\.5" is no amount in JPY, which has 0'):
        minor_units("4500.5", "JPY")
