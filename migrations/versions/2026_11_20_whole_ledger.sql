ALTER TABLE lot ADD COLUMN frozen_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE lot_extension (
    studio_id BIGINT NOT NULL,
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    lot_id UUID NOT NULL,
    old_expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    new_expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT NOT NULL,
    reference TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lot_extension PRIMARY KEY (studio_id, sequence),
    CONSTRAINT uq_lot_extension_studio_id_key UNIQUE (studio_id, key),
    CONSTRAINT fk_lot_extension_studio_id_lot_id FOREIGN KEY(studio_id, lot_id) REFERENCES lot (studio_id, id),
    CONSTRAINT ck_lot_extension_never_shortens CHECK (new_expires_at > old_expires_at)
);

CREATE INDEX ix_lot_extension_studio_id_lot_id ON lot_extension (studio_id, lot_id);

CREATE TRIGGER lot_extension_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lot_extension
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE booking ADD COLUMN free_to_cancel BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE booking ALTER COLUMN free_to_cancel DROP DEFAULT;

CREATE INDEX ix_booking_no_show_ends_at ON booking (ends_at) WHERE status = 'no_show';

CREATE TABLE strike (
    studio_id BIGINT NOT NULL,
    booking_id UUID NOT NULL,
    wallet_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    forgiven_at TIMESTAMP WITH TIME ZONE,
    forgiven_by TEXT,
    CONSTRAINT pk_strike PRIMARY KEY (studio_id, booking_id),
    CONSTRAINT fk_strike_studio_id_booking_id FOREIGN KEY(studio_id, booking_id) REFERENCES booking (studio_id, id),
    CONSTRAINT fk_strike_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT ck_strike_forgiven CHECK ((forgiven_at IS NULL) = (forgiven_by IS NULL))
);

CREATE INDEX ix_strike_studio_id_wallet_id_at ON strike (studio_id, wallet_id, at);
CREATE INDEX ix_lot_expires_at ON lot (expires_at) WHERE available > 0 AND expires_at IS NOT NULL;

-- People: merges, claims, gifts, erasure.
ALTER TABLE wallet ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE wallet_alias DROP CONSTRAINT ck_wallet_alias_kind;
ALTER TABLE wallet_alias ADD CONSTRAINT ck_wallet_alias_kind CHECK (kind IN ('customer', 'order', 'email', 'test'));
ALTER TABLE webhook_delivery ALTER COLUMN body DROP NOT NULL;
CREATE INDEX ix_webhook_delivery_received_at ON webhook_delivery (received_at) WHERE body IS NOT NULL;
ALTER TABLE shop_order ADD COLUMN address BYTEA;
CREATE INDEX ix_shop_order_address ON shop_order (studio_id, address) WHERE address IS NOT NULL;
CREATE INDEX ix_shop_order_studio_id_wallet_id ON shop_order (studio_id, wallet_id);
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('simstudio.erasing', true) = 'studio'
        OR TG_OP = 'UPDATE' AND TG_TABLE_NAME IN ('audit_entry', 'debt_entry', 'lot_extension')
            AND current_setting('simstudio.erasing', true) = 'person'
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only',
        ERRCODE = 'restrict_violation';
END
$$;

CREATE TABLE wallet_merge (
    studio_id BIGINT NOT NULL,
    removed UUID NOT NULL,
    kept UUID NOT NULL,
    reference TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_wallet_merge PRIMARY KEY (studio_id, removed),
    CONSTRAINT fk_wallet_merge_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_wallet_merge_studio_id_kept ON wallet_merge (studio_id, kept);

CREATE TABLE gift (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    order_id BIGINT NOT NULL,
    line_item_id BIGINT NOT NULL,
    unit_index INTEGER NOT NULL,
    wallet_id UUID NOT NULL,
    valid_days INTEGER,
    opens_at TIMESTAMP WITH TIME ZONE NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE,
    claimed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_gift PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_gift_studio_id_order_id_line_item_id_unit_index UNIQUE (studio_id, order_id, line_item_id, unit_index),
    CONSTRAINT fk_gift_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_gift_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_gift_opens_at ON gift (opens_at) WHERE announced_at IS NULL;

CREATE INDEX ix_gift_studio_id_wallet_id ON gift (studio_id, wallet_id);

CREATE TABLE wallet_claim (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    order_id BIGINT NOT NULL,
    gift_id UUID,
    wallet_id UUID NOT NULL,
    former_wallet_id UUID NOT NULL,
    kind TEXT NOT NULL,
    lots UUID[] NOT NULL,
    bookings UUID[] NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    claimed_by TEXT NOT NULL,
    reverted_at TIMESTAMP WITH TIME ZONE,
    reverted_by TEXT,
    CONSTRAINT pk_wallet_claim PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_wallet_claim_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_wallet_claim_studio_id_former_wallet_id FOREIGN KEY(studio_id, former_wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_wallet_claim_studio_id_gift_id FOREIGN KEY(studio_id, gift_id) REFERENCES gift (studio_id, id),
    CONSTRAINT ck_wallet_claim_kind CHECK (kind IN ('email', 'code', 'staff', 'gift')),
    CONSTRAINT ck_wallet_claim_reverted CHECK ((reverted_at IS NULL) = (reverted_by IS NULL)),
    CONSTRAINT ck_wallet_claim_gift CHECK ((kind = 'gift') = (gift_id IS NOT NULL)),
    CONSTRAINT fk_wallet_claim_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_wallet_claim_studio_id_wallet_id ON wallet_claim (studio_id, wallet_id);

CREATE UNIQUE INDEX uq_wallet_claim_gift_standing ON wallet_claim (studio_id, gift_id) WHERE reverted_at IS NULL AND gift_id IS NOT NULL;

CREATE UNIQUE INDEX uq_wallet_claim_standing ON wallet_claim (studio_id, order_id) WHERE reverted_at IS NULL AND gift_id IS NULL;

CREATE TABLE claim_code (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    digest BYTEA NOT NULL,
    order_id BIGINT NOT NULL,
    gift_id UUID,
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    redeemed_at TIMESTAMP WITH TIME ZONE,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_claim_code PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_claim_code_studio_id_digest UNIQUE (studio_id, digest),
    CONSTRAINT fk_claim_code_studio_id_gift_id FOREIGN KEY(studio_id, gift_id) REFERENCES gift (studio_id, id),
    CONSTRAINT fk_claim_code_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_claim_code_studio_id_order_id ON claim_code (studio_id, order_id);

CREATE UNIQUE INDEX uq_claim_code_gift_id ON claim_code (studio_id, gift_id) WHERE gift_id IS NOT NULL AND withdrawn_at IS NULL;

CREATE TABLE tombstone (
    studio_id BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    wallet_id UUID,
    erased_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tombstone PRIMARY KEY (studio_id, digest),
    CONSTRAINT fk_tombstone_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_tombstone_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_tombstone_studio_id_wallet_id ON tombstone (studio_id, wallet_id);

CREATE TABLE person_export (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    request TEXT NOT NULL,
    wallet_id UUID,
    document JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_person_export PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_person_export_studio_id_request UNIQUE (studio_id, request),
    CONSTRAINT fk_person_export_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_person_export_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_person_export_created_at ON person_export (created_at);

CREATE TABLE shop_export (
    studio_id BIGINT NOT NULL,
    relation TEXT NOT NULL,
    part INTEGER NOT NULL,
    shop TEXT NOT NULL,
    content JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_shop_export PRIMARY KEY (studio_id, relation, part)
);

CREATE INDEX ix_shop_export_created_at ON shop_export (created_at);

CREATE OR REPLACE TRIGGER wallet_merge_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_merge
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE lot ADD COLUMN only_for JSONB;
ALTER TABLE product ADD COLUMN only_for JSONB;
ALTER TABLE booking ADD COLUMN facts JSONB;

ALTER TABLE booking ADD COLUMN due_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX ix_booking_due_at ON booking (due_at) WHERE due_at IS NOT NULL;

ALTER TABLE shop_order ADD COLUMN disputes JSONB NOT NULL DEFAULT '{}';

ALTER TABLE shop_order ALTER COLUMN disputes DROP DEFAULT;

CREATE TABLE debt_entry (
    studio_id BIGINT NOT NULL,
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    debtor UUID NOT NULL,
    order_id BIGINT,
    amount_minor BIGINT NOT NULL,
    cause TEXT NOT NULL,
    reference TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_debt_entry PRIMARY KEY (studio_id, sequence),
    CONSTRAINT uq_debt_entry_studio_id_key UNIQUE (studio_id, key),
    CONSTRAINT fk_debt_entry_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id),
    CONSTRAINT ck_debt_entry_cause CHECK (cause IN ('refund', 'dispute', 'settlement', 'handover')),
    CONSTRAINT ck_debt_entry_amount_minor CHECK (amount_minor <> 0)
);

CREATE INDEX ix_debt_entry_studio_id_debtor ON debt_entry (studio_id, debtor);

CREATE INDEX ix_debt_entry_studio_id_order_id ON debt_entry (studio_id, order_id) WHERE order_id IS NOT NULL;

CREATE TRIGGER debt_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON debt_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A booking in few messages.
CREATE OR REPLACE FUNCTION look_at_book(
    studio_id bigint, wallet_id uuid, holder text, neighbour uuid, days int[],
    begins timestamptz, ends timestamptz, at timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF look_at_book.holder IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(
            concat_ws(':', 'holder', look_at_book.studio_id, look_at_book.holder), 0));
    ELSIF look_at_book.wallet_id IS NOT NULL THEN
        PERFORM FROM wallet
            WHERE studio_id = look_at_book.studio_id AND id = look_at_book.wallet_id
            FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM pg_advisory_xact_lock(look_at_book.studio_id::int, day)
        FROM unnest(look_at_book.days) AS day;
    RETURN json_build_object(
        'taken', (SELECT json_agg(json_build_array(
    resource_id,
    (extract(epoch FROM lower(during)) / 60)::int,
    (extract(epoch FROM upper(during)) / 60)::int,
    pinned, booking_id IS NULL, stranded,
    CASE WHEN NOT stranded THEN extract(epoch FROM blocks_until)::float8 END
, id, booking_id)) 
    FROM allocation
    WHERE studio_id = look_at_book.studio_id AND state <> 'released'
      AND during && tstzrange(look_at_book.begins, look_at_book.ends)
      AND (blocks_until IS NULL OR blocks_until > look_at_book.at OR stranded)
),
        'lapsed', EXISTS (
            SELECT FROM allocation
            WHERE studio_id = look_at_book.studio_id AND state = 'held' AND NOT stranded
              AND blocks_until <= look_at_book.at AND during && tstzrange(look_at_book.begins, look_at_book.ends)),
        'lots', (SELECT json_agg(json_build_array(
            id, kind, available, priority, paid_minor, order_id, expires_at, granted_at, frozen_at,
            only_for))
            FROM (
    SELECT id, kind, available, priority, paid_minor, order_id, expires_at, granted_at, frozen_at,
           only_for
    FROM lot
    WHERE studio_id = look_at_book.studio_id AND wallet_id = look_at_book.wallet_id AND available > 0
) AS lot),
        'own', (SELECT json_agg(id) FROM booking
            WHERE studio_id = look_at_book.studio_id AND wallet_id = look_at_book.neighbour
              AND starts_at < look_at_book.ends AND ends_at > look_at_book.begins),
        'holds', (SELECT json_agg(json_build_array(hold.expires_at,
                extract(epoch FROM booking.ends_at - booking.starts_at)::int / 60)
                ORDER BY hold.expires_at)
            FROM hold JOIN booking
                ON booking.studio_id = hold.studio_id AND booking.id = hold.booking_id
            WHERE hold.studio_id = look_at_book.studio_id AND hold.holder = look_at_book.holder
              AND hold.status = 'active' AND hold.expires_at > look_at_book.at)
    )::text;
END
$$;
