"""`simstudio verify`: proves the promises over the whole database, one line per violation.

Each check is one query that returns the rows that should not exist.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Check:
    """A promise, and the query that finds what breaks it (studio id, then what)."""

    name: str
    query: str


def _net(bucket: str) -> str:
    """Return the SQL of what came into a bucket less what went out of it."""
    came_or_went = "WHEN to_bucket THEN quantity WHEN from_bucket THEN -quantity ELSE 0"
    return f"sum(CASE '{bucket}' {came_or_went} END)"


CHECKS = (
    Check(
        "no two live allocations overlap on a bay or a coach",
        """
        SELECT a.studio_id, format('allocations %s and %s overlap', a.id, b.id)
        FROM allocation a JOIN allocation b
          ON a.studio_id = b.studio_id AND a.resource_id = b.resource_id
         AND a.id < b.id AND a.during && b.during
        WHERE a.state <> 'released' AND b.state <> 'released'
        """,
    ),
    Check(
        "every lot: granted = available + held + spent + expired + revoked, each >= 0",
        """
        SELECT studio_id, format('lot %s (%s)', id, source) FROM lot
        WHERE granted <> available + held + spent + expired + revoked
           OR least(available, held, spent, expired, revoked) < 0
        """,
    ),
    Check(
        "a lot's transfers add up to its buckets",
        f"""
        SELECT coalesce(lot.studio_id, moved.studio_id),
               format('lot %s (%s): transfers say %s granted, %s available, %s held, %s spent,'
                ' %s expired, %s revoked', coalesce(lot.id, lot_id), coalesce(source, 'gone'),
                -i, a, h, s, e, r)
        FROM (
            SELECT studio_id, lot_id, {_net("issued")} AS i, {_net("available")} AS a,
                   {_net("held")} AS h, {_net("spent")} AS s, {_net("expired")} AS e,
                   {_net("revoked")} AS r
            FROM transfer GROUP BY studio_id, lot_id
        ) moved FULL JOIN lot ON lot.studio_id = moved.studio_id AND lot.id = moved.lot_id
        WHERE (granted, available, held, spent, expired, revoked)
              IS DISTINCT FROM (-i, a, h, s, e, r)
        """,  # noqa: S608 - names of buckets
    ),
    Check(
        "a lot's expiry is where its extensions have brought it, each from where the last ended",
        """
        SELECT studio_id, format('lot %s: extension %s goes on from %s', lot_id, sequence, since)
        FROM (
            SELECT e.studio_id, e.lot_id, e.sequence, e.new_expires_at,
                   coalesce(lead(old_expires_at) OVER (
                       PARTITION BY e.studio_id, e.lot_id ORDER BY sequence),
                       lot.expires_at) AS since
            FROM lot_extension e JOIN lot ON lot.studio_id = e.studio_id AND lot.id = e.lot_id
        ) step
        WHERE since IS DISTINCT FROM new_expires_at
        """,
    ),
    Check(
        "what lots hold is what bookings draw",
        """
        SELECT lot.studio_id, format('lot %s holds %s, its draws %s', lot.id, lot.held,
                                     coalesce(drawn.held, 0))
        FROM lot LEFT JOIN (
            SELECT studio_id, lot_id, sum(held) AS held FROM draw
            WHERE held > 0 GROUP BY studio_id, lot_id
        ) drawn ON drawn.studio_id = lot.studio_id AND drawn.lot_id = lot.id
        WHERE lot.held <> coalesce(drawn.held, 0)
        """,
    ),
    Check(
        "nothing lies unused in a unit that the shop took back",
        """
        SELECT studio_id, format('lot %s (%s) has %s available', id, source, available)
        FROM lot WHERE withdrawn_at IS NOT NULL AND available > 0
        """,
    ),
    Check(
        "a booking that waits for money still stands, on credits that were taken back",
        """
        SELECT booking.studio_id, format('booking %s waits until %s', code, due_at)
        FROM booking
        WHERE due_at IS NOT NULL AND (status NOT IN ('confirmed', 'checked_in') OR NOT EXISTS (
            SELECT FROM draw JOIN lot ON lot.studio_id = draw.studio_id AND lot.id = draw.lot_id
            WHERE draw.studio_id = booking.studio_id AND draw.booking_id = booking.id
              AND draw.held > 0 AND lot.withdrawn_at IS NOT NULL))
        """,
    ),
    Check(
        "every confirmed booking has its bays, and nothing that ended has any",
        """
        SELECT booking.studio_id, format('booking %s is %s with %s bays, %s booked', code, status,
                                         taken.bays, simulators)
        FROM booking LEFT JOIN LATERAL (
            SELECT count(*) AS bays FROM allocation
            JOIN resource ON resource.studio_id = allocation.studio_id
                         AND resource.id = allocation.resource_id AND resource.kind = 'simulator'
            WHERE allocation.studio_id = booking.studio_id AND booking_id = booking.id
              AND allocation.state <> 'released'
        ) taken ON true
        WHERE (status IN ('confirmed', 'checked_in') AND taken.bays <> simulators)
           OR (status IN ('cancelled', 'rejected', 'expired') AND taken.bays > 0)
        """,
    ),
    Check(
        "every booking still to come is funded in full",
        """
        SELECT booking.studio_id, format('booking %s holds %s of %s', code, paid.held,
                                         simulator_minutes + coaching_sessions)
        FROM booking LEFT JOIN LATERAL (
            SELECT coalesce(sum(held), 0) AS held FROM draw
            WHERE draw.studio_id = booking.studio_id AND draw.booking_id = booking.id
        ) paid ON true
        WHERE status IN ('confirmed', 'checked_in') AND begun_at IS NULL
          AND paid.held <> CASE WHEN complimentary THEN 0
                                ELSE simulator_minutes + coaching_sessions END
        """,
    ),
    Check(
        "what a session holds lies in the wallet of whoever booked it",
        """
        SELECT booking.studio_id, format('booking %s draws on lot %s of another wallet', code,
                                         lot.id)
        FROM draw
        JOIN booking ON booking.studio_id = draw.studio_id AND booking.id = draw.booking_id
        JOIN lot ON lot.studio_id = draw.studio_id AND lot.id = draw.lot_id
        WHERE draw.held > 0 AND booking.wallet_id IS DISTINCT FROM lot.wallet_id
        """,
    ),
    Check(
        "nobody is known by a wallet that was erased, and no credits of it can be used",
        """
        SELECT alias.studio_id, format('erased wallet %s is known as a %s', wallet.id, kind)
        FROM wallet JOIN wallet_alias AS alias ON alias.studio_id = wallet.studio_id
                                              AND alias.wallet_id = wallet.id
        WHERE erased_at IS NOT NULL AND kind <> 'order'
        UNION ALL
        SELECT lot.studio_id, format('lot %s of an erased wallet is not frozen', lot.id)
        FROM wallet JOIN lot ON lot.studio_id = wallet.studio_id AND lot.wallet_id = wallet.id
        WHERE erased_at IS NOT NULL AND available > 0 AND frozen_at IS NULL
        UNION ALL
        SELECT booking.studio_id, format('booking %s of an erased wallet is still to come', code)
        FROM wallet JOIN booking ON booking.studio_id = wallet.studio_id
                                AND booking.wallet_id = wallet.id
        WHERE erased_at IS NOT NULL AND status = 'confirmed' AND begun_at IS NULL
          AND starts_at > erased_at
        """,
    ),
    Check(
        "a block takes all of its time in which no session stands, and none once it is lifted",
        """
        SELECT block.studio_id, format('block %s of resource %s leaves %s free', id, resource_id,
                                       tstzmultirange(during) - taken.by_all)
        FROM block LEFT JOIN LATERAL (
            SELECT coalesce(range_agg(allocation.during), '{}'::tstzmultirange) AS by_all
            FROM allocation WHERE allocation.studio_id = block.studio_id
              AND allocation.resource_id = block.resource_id AND allocation.state <> 'released'
        ) taken ON true
        WHERE lifted_at IS NULL AND NOT tstzmultirange(during) <@ taken.by_all
        UNION ALL
        SELECT block.studio_id, format('block %s was lifted and still takes time', block.id)
        FROM block JOIN allocation ON allocation.studio_id = block.studio_id
                                  AND allocation.block_id = block.id
        WHERE allocation.state <> 'released' AND upper(allocation.during) > lifted_at
        """,
    ),
    Check(
        "no calendar shows a booking that has ended, once the outbox is told",
        """
        SELECT calendar_event.studio_id, format('event %s in %s of booking %s', event_id, calendar,
                                                booking.code)
        FROM calendar_event JOIN booking ON booking.studio_id = calendar_event.studio_id
                                        AND booking.id = calendar_event.booking_id
        WHERE pushed_hash IS NOT NULL AND booking.status IN ('cancelled', 'rejected', 'expired')
          AND NOT EXISTS (SELECT FROM outbox_message WHERE done_at IS NULL
                          AND outbox_message.studio_id = booking.studio_id
                          AND outbox_message.key = booking.id::text)
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not be."""

    check: str
    studio_id: int
    what: str


def violations(session: Session, check: Check) -> list[Violation]:
    """Return everything that breaks one promise."""
    rows = session.execute(text(check.query)).all()
    return [Violation(check.name, row[0], row[1]) for row in rows]
