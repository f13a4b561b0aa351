CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE studio (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    shop TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    owner_calendar TEXT,
    policy JSONB NOT NULL,
    coaching JSONB NOT NULL,
    revision BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_studio PRIMARY KEY (id),
    CONSTRAINT uq_studio_shop UNIQUE (shop)
);

CREATE OR REPLACE FUNCTION tell_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('book', NEW.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER studio_tells_catalogue AFTER INSERT OR UPDATE ON studio
    FOR EACH ROW EXECUTE FUNCTION tell_catalogue();

CREATE TABLE attention_item (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    detail TEXT NOT NULL,
    facts JSONB NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolution TEXT,
    resolved_by TEXT,
    resolved_reason TEXT,
    CONSTRAINT pk_attention_item PRIMARY KEY (studio_id, id),
    CONSTRAINT ck_attention_item_resolution CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
    CONSTRAINT fk_attention_item_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE UNIQUE INDEX uq_attention_item_open ON attention_item (studio_id, kind, key) WHERE resolved_at IS NULL;

CREATE INDEX ix_attention_item_studio_id_kind_key ON attention_item (studio_id, kind, key);

CREATE TABLE audit_entry (
    studio_id BIGINT NOT NULL,
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    role TEXT NOT NULL,
    key_name TEXT NOT NULL,
    action TEXT NOT NULL,
    reference TEXT NOT NULL,
    reason TEXT NOT NULL,
    facts JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit_entry PRIMARY KEY (studio_id, sequence),
    CONSTRAINT fk_audit_entry_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_audit_entry_studio_id_reference ON audit_entry (studio_id, reference);

CREATE TABLE location (
    studio_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    handle TEXT NOT NULL,
    name TEXT NOT NULL,
    timezone TEXT NOT NULL,
    hours JSONB NOT NULL,
    closed JSONB NOT NULL,
    position INTEGER NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_location PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_location_studio_id_handle UNIQUE (studio_id, handle),
    CONSTRAINT fk_location_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE TABLE resource (
    studio_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    handle TEXT NOT NULL,
    name TEXT NOT NULL,
    calendar TEXT,
    locations TEXT[] NOT NULL,
    tags TEXT[] NOT NULL,
    players INTEGER,
    hours JSONB NOT NULL,
    extra JSONB NOT NULL,
    blocked JSONB NOT NULL,
    buffer_minutes INTEGER NOT NULL,
    position INTEGER NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_resource PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_resource_studio_id_kind_handle UNIQUE (studio_id, kind, handle),
    CONSTRAINT ck_resource_kind CHECK (kind IN ('simulator', 'coach')),
    CONSTRAINT fk_resource_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE TABLE service (
    studio_id BIGINT NOT NULL,
    handle TEXT NOT NULL,
    title TEXT NOT NULL,
    minutes JSONB NOT NULL,
    max_simulators INTEGER NOT NULL,
    burn_minutes INTEGER NOT NULL,
    burn_per_minutes INTEGER NOT NULL,
    position INTEGER NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_service PRIMARY KEY (studio_id, handle),
    CONSTRAINT fk_service_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE TABLE product (
    studio_id BIGINT NOT NULL,
    variant_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    price_minor BIGINT NOT NULL,
    grants JSONB NOT NULL,
    valid_days INTEGER,
    position INTEGER NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_product PRIMARY KEY (studio_id, variant_id),
    CONSTRAINT fk_product_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE TABLE wallet (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_wallet PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_wallet_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE TABLE outbox_message (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    leased_until TIMESTAMP WITH TIME ZONE,
    done_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    CONSTRAINT pk_outbox_message PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_outbox_message_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE UNIQUE INDEX uq_outbox_message_open ON outbox_message (studio_id, topic, key) WHERE done_at IS NULL;

CREATE INDEX ix_outbox_message_due_at ON outbox_message (due_at) WHERE done_at IS NULL;

CREATE TABLE webhook_delivery (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    webhook_id TEXT NOT NULL,
    event_id TEXT,
    topic TEXT NOT NULL,
    api_version TEXT,
    triggered_at TEXT,
    body BYTEA NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_webhook_delivery PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_webhook_delivery_studio_id_webhook_id UNIQUE (studio_id, webhook_id),
    CONSTRAINT ck_webhook_delivery_state CHECK (state IN ('pending', 'done', 'dead')),
    CONSTRAINT fk_webhook_delivery_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_webhook_delivery_due_at ON webhook_delivery (due_at) WHERE state = 'pending';

CREATE TABLE staff_key (
    studio_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_staff_key PRIMARY KEY (studio_id, name),
    CONSTRAINT ck_staff_key_role CHECK (role IN ('owner', 'manager', 'coach', 'receptionist', 'finance')),
    CONSTRAINT fk_staff_key_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE UNIQUE INDEX uq_staff_key_digest ON staff_key (digest);

CREATE TABLE idempotency_record (
    studio_id BIGINT NOT NULL,
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    request_digest BYTEA NOT NULL,
    status INTEGER NOT NULL,
    body BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_idempotency_record PRIMARY KEY (studio_id, caller, key),
    CONSTRAINT fk_idempotency_record_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_idempotency_record_created_at ON idempotency_record (created_at);

CREATE TABLE block (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    resource_id BIGINT NOT NULL,
    during TSTZRANGE NOT NULL,
    reason TEXT NOT NULL,
    declared_at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE,
    lifted_by TEXT,
    CONSTRAINT pk_block PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_block_studio_id_resource_id FOREIGN KEY(studio_id, resource_id) REFERENCES resource (studio_id, id),
    CONSTRAINT ck_block_during CHECK (NOT isempty(during)),
    CONSTRAINT ck_block_lifted CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
    CONSTRAINT fk_block_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_block_studio_id_resource_id ON block (studio_id, resource_id) WHERE lifted_at IS NULL;

CREATE TABLE booking (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    status TEXT NOT NULL,
    wallet_id UUID,
    location_id BIGINT NOT NULL,
    service TEXT NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    simulators INTEGER NOT NULL,
    coaching_starts_at TIMESTAMP WITH TIME ZONE,
    coaching_ends_at TIMESTAMP WITH TIME ZONE,
    simulator_minutes INTEGER NOT NULL,
    coaching_sessions INTEGER NOT NULL,
    price_minor BIGINT NOT NULL,
    policy JSONB NOT NULL,
    order_id BIGINT,
    funding INTEGER NOT NULL,
    moves INTEGER NOT NULL,
    return_cap INTEGER NOT NULL,
    recovered BOOLEAN NOT NULL,
    any_coach BOOLEAN NOT NULL,
    complimentary BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    begun_at TIMESTAMP WITH TIME ZONE,
    forgiven_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by TEXT,
    ended_reason TEXT,
    revision INTEGER NOT NULL,
    CONSTRAINT pk_booking PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_booking_studio_id_code UNIQUE (studio_id, code),
    CONSTRAINT fk_booking_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_booking_studio_id_location_id FOREIGN KEY(studio_id, location_id) REFERENCES location (studio_id, id),
    CONSTRAINT ck_booking_status CHECK (status IN ('held', 'awaiting_payment', 'awaiting_approval', 'confirmed', 'checked_in', 'completed', 'no_show', 'cancelled', 'rejected', 'expired')),
    CONSTRAINT ck_booking_ends_after_start CHECK (ends_at > starts_at),
    CONSTRAINT ck_booking_simulators CHECK (simulators > 0),
    CONSTRAINT ck_booking_coaching_inside CHECK ((coaching_starts_at IS NULL AND coaching_ends_at IS NULL) OR (starts_at <= coaching_starts_at AND coaching_starts_at < coaching_ends_at AND coaching_ends_at <= ends_at)),
    CONSTRAINT fk_booking_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_booking_studio_id_order_id ON booking (studio_id, order_id);

CREATE INDEX ix_booking_live_starts_at ON booking (starts_at) WHERE status IN ('confirmed', 'checked_in');

CREATE INDEX ix_booking_studio_id_wallet_id_starts_at ON booking (studio_id, wallet_id, starts_at);

CREATE TABLE series (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    wallet_id UUID NOT NULL,
    status TEXT NOT NULL,
    location_id BIGINT NOT NULL,
    service TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    simulators INTEGER NOT NULL,
    simulator TEXT,
    coaching_minutes INTEGER NOT NULL,
    coach TEXT,
    coaching_offset INTEGER,
    every_weeks INTEGER NOT NULL,
    first_on DATE NOT NULL,
    starts_minute INTEGER NOT NULL,
    count INTEGER,
    until_on DATE,
    simulator_minutes INTEGER NOT NULL,
    coaching_sessions INTEGER NOT NULL,
    unfunded_in_a_row INTEGER NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_series PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_series_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_series_studio_id_location_id FOREIGN KEY(studio_id, location_id) REFERENCES location (studio_id, id),
    CONSTRAINT ck_series_status CHECK (status IN ('active', 'paused', 'ended')),
    CONSTRAINT ck_series_every_weeks CHECK (every_weeks IN (1, 2)),
    CONSTRAINT ck_series_count CHECK (count > 0),
    CONSTRAINT ck_series_until_on CHECK (until_on >= first_on),
    CONSTRAINT ck_series_one_end CHECK (count IS NULL OR until_on IS NULL),
    CONSTRAINT ck_series_starts_minute CHECK (starts_minute >= 0 AND starts_minute < 1440),
    CONSTRAINT ck_series_session CHECK (minutes > 0 AND simulators > 0),
    CONSTRAINT ck_series_ended_at CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT fk_series_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_series_live_wallet ON series (studio_id, wallet_id) WHERE status <> 'ended';

CREATE INDEX ix_series_live_coach ON series (studio_id, coach) WHERE status <> 'ended' AND coach IS NOT NULL;

CREATE INDEX ix_series_live_due_at ON series (due_at) WHERE status <> 'ended';

CREATE TABLE wallet_alias (
    studio_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    wallet_id UUID NOT NULL,
    CONSTRAINT pk_wallet_alias PRIMARY KEY (studio_id, kind, value),
    CONSTRAINT fk_wallet_alias_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT ck_wallet_alias_kind CHECK (kind IN ('customer', 'order'))
);

CREATE INDEX ix_wallet_alias_studio_id_wallet_id ON wallet_alias (studio_id, wallet_id);

CREATE TABLE lot (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    wallet_id UUID NOT NULL,
    kind TEXT NOT NULL,
    granted BIGINT NOT NULL,
    available BIGINT NOT NULL,
    held BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    expired BIGINT NOT NULL,
    revoked BIGINT NOT NULL,
    source TEXT NOT NULL,
    order_id BIGINT,
    line_item_id BIGINT,
    unit_index INTEGER,
    paid_minor BIGINT NOT NULL,
    priority INTEGER NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    granted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_lot PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_lot_studio_id_source UNIQUE (studio_id, source),
    CONSTRAINT fk_lot_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT ck_lot_kind CHECK (kind IN ('simulator_minutes', 'coaching_sessions')),
    CONSTRAINT ck_lot_granted CHECK (granted > 0),
    CONSTRAINT ck_lot_buckets_positive CHECK (available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND revoked >= 0),
    CONSTRAINT ck_lot_buckets_add_up CHECK (granted = available + held + spent + expired + revoked),
    CONSTRAINT ck_lot_paid_minor CHECK (paid_minor >= 0)
);

CREATE INDEX ix_lot_studio_id_wallet_id_kind ON lot (studio_id, wallet_id, kind);

CREATE INDEX ix_lot_studio_id_order_id ON lot (studio_id, order_id);

CREATE TABLE shop_order (
    studio_id BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    name TEXT,
    wallet_id UUID,
    updated_at TIMESTAMP WITH TIME ZONE,
    snapshot JSONB,
    outcomes JSONB NOT NULL,
    read_due_at TIMESTAMP WITH TIME ZONE,
    read_attempts INTEGER NOT NULL,
    last_error TEXT,
    CONSTRAINT pk_shop_order PRIMARY KEY (studio_id, order_id),
    CONSTRAINT fk_shop_order_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_shop_order_studio_id FOREIGN KEY(studio_id) REFERENCES studio (id)
);

CREATE INDEX ix_shop_order_read_due_at ON shop_order (read_due_at);

CREATE TABLE hold (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    booking_id UUID NOT NULL,
    status TEXT NOT NULL,
    holder TEXT NOT NULL,
    cart JSONB NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    frees_at TIMESTAMP WITH TIME ZONE NOT NULL,
    checkout_opened_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    order_id BIGINT,
    short_orders JSONB NOT NULL,
    CONSTRAINT pk_hold PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_hold_studio_id_booking_id UNIQUE (studio_id, booking_id),
    CONSTRAINT fk_hold_studio_id_booking_id FOREIGN KEY(studio_id, booking_id) REFERENCES booking (studio_id, id),
    CONSTRAINT ck_hold_status CHECK (status IN ('active', 'converted', 'released', 'expired'))
);

CREATE INDEX ix_hold_studio_id_holder ON hold (studio_id, holder) WHERE status = 'active';

CREATE INDEX ix_hold_active_frees_at ON hold (frees_at) WHERE status = 'active';

CREATE TABLE allocation (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    booking_id UUID,
    block_id UUID,
    resource_id BIGINT NOT NULL,
    during TSTZRANGE NOT NULL,
    state TEXT NOT NULL,
    pinned BOOLEAN NOT NULL,
    stranded BOOLEAN NOT NULL,
    blocks_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_allocation PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_allocation_studio_id_booking_id FOREIGN KEY(studio_id, booking_id) REFERENCES booking (studio_id, id),
    CONSTRAINT fk_allocation_studio_id_block_id FOREIGN KEY(studio_id, block_id) REFERENCES block (studio_id, id),
    CONSTRAINT fk_allocation_studio_id_resource_id FOREIGN KEY(studio_id, resource_id) REFERENCES resource (studio_id, id),
    CONSTRAINT ck_allocation_state CHECK (state IN ('held', 'confirmed', 'released')),
    CONSTRAINT ck_allocation_taken_by_one CHECK (num_nonnulls(booking_id, block_id) = 1),
    CONSTRAINT ck_allocation_during CHECK (NOT isempty(during)),
    CONSTRAINT ck_allocation_blocks_until CHECK ((state = 'held') = (blocks_until IS NOT NULL)),
    CONSTRAINT allocation_no_overlap EXCLUDE USING gist (studio_id WITH =, resource_id WITH =, during WITH &&) WHERE (state <> 'released') DEFERRABLE INITIALLY IMMEDIATE
);

CREATE INDEX ix_allocation_studio_id_block_id ON allocation (studio_id, block_id) WHERE block_id IS NOT NULL;

CREATE INDEX ix_allocation_studio_id_booking_id ON allocation (studio_id, booking_id);

CREATE OR REPLACE FUNCTION tell_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('book', concat_ws(' ', NEW.studio_id,
        floor(extract(epoch FROM lower(NEW.during)) / 86400)::bigint,
        floor(extract(epoch FROM upper(NEW.during)) / 86400)::bigint));
    RETURN NULL;
END
$$;
CREATE TRIGGER allocation_tells_book AFTER INSERT OR UPDATE ON allocation
    FOR EACH ROW EXECUTE FUNCTION tell_book();

CREATE TABLE series_occurrence (
    studio_id BIGINT NOT NULL,
    series_id UUID NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_shifted BOOLEAN NOT NULL,
    booking_id UUID,
    taken_at TIMESTAMP WITH TIME ZONE,
    funded_at TIMESTAMP WITH TIME ZONE,
    skipped_at TIMESTAMP WITH TIME ZONE,
    reminded_week_at TIMESTAMP WITH TIME ZONE,
    reminded_last_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_series_occurrence PRIMARY KEY (studio_id, series_id, number),
    CONSTRAINT fk_series_occurrence_studio_id_series_id FOREIGN KEY(studio_id, series_id) REFERENCES series (studio_id, id),
    CONSTRAINT fk_series_occurrence_studio_id_booking_id FOREIGN KEY(studio_id, booking_id) REFERENCES booking (studio_id, id),
    CONSTRAINT ck_series_occurrence_status CHECK (status IN ('tentative', 'funded', 'skipped')),
    CONSTRAINT ck_series_occurrence_number CHECK (number > 0),
    CONSTRAINT ck_series_occurrence_reason CHECK ((status = 'skipped') = (reason IS NOT NULL)),
    CONSTRAINT ck_series_occurrence_booking CHECK (status = 'skipped' OR booking_id IS NOT NULL)
);

CREATE INDEX ix_series_occurrence_studio_id_booking_id ON series_occurrence (studio_id, booking_id);

CREATE INDEX ix_series_occurrence_tentative ON series_occurrence (studio_id, series_id, starts_at) WHERE status = 'tentative';

CREATE TABLE waitlist_entry (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    wallet_id UUID NOT NULL,
    status TEXT NOT NULL,
    location_id BIGINT NOT NULL,
    service TEXT NOT NULL,
    earliest_at TIMESTAMP WITH TIME ZONE NOT NULL,
    latest_at TIMESTAMP WITH TIME ZONE NOT NULL,
    minutes INTEGER NOT NULL,
    simulators INTEGER NOT NULL,
    simulator_id BIGINT,
    coaching_minutes INTEGER,
    coach_id BIGINT,
    auto_book_hours INTEGER,
    besides UUID[] NOT NULL,
    booking_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_waitlist_entry PRIMARY KEY (studio_id, id),
    CONSTRAINT fk_waitlist_entry_studio_id_wallet_id FOREIGN KEY(studio_id, wallet_id) REFERENCES wallet (studio_id, id),
    CONSTRAINT fk_waitlist_entry_studio_id_location_id FOREIGN KEY(studio_id, location_id) REFERENCES location (studio_id, id),
    CONSTRAINT fk_waitlist_entry_studio_id_simulator_id FOREIGN KEY(studio_id, simulator_id) REFERENCES resource (studio_id, id),
    CONSTRAINT fk_waitlist_entry_studio_id_coach_id FOREIGN KEY(studio_id, coach_id) REFERENCES resource (studio_id, id),
    CONSTRAINT fk_waitlist_entry_studio_id_booking_id FOREIGN KEY(studio_id, booking_id) REFERENCES booking (studio_id, id),
    CONSTRAINT ck_waitlist_entry_status CHECK (status IN ('waiting', 'booked', 'left', 'expired')),
    CONSTRAINT ck_waitlist_entry_window CHECK (latest_at >= earliest_at),
    CONSTRAINT ck_waitlist_entry_minutes CHECK (minutes > 0),
    CONSTRAINT ck_waitlist_entry_simulators CHECK (simulators > 0),
    CONSTRAINT ck_waitlist_entry_coaching_minutes CHECK (coaching_minutes BETWEEN 1 AND minutes),
    CONSTRAINT ck_waitlist_entry_coach_id CHECK (coach_id IS NULL OR coaching_minutes IS NOT NULL),
    CONSTRAINT ck_waitlist_entry_auto_book_hours CHECK (auto_book_hours >= 0),
    CONSTRAINT ck_waitlist_entry_booking_id CHECK ((status = 'booked') = (booking_id IS NOT NULL)),
    CONSTRAINT ck_waitlist_entry_closed_at CHECK ((status = 'waiting') = (closed_at IS NULL))
);

CREATE INDEX ix_waitlist_entry_line ON waitlist_entry (studio_id, created_at, id) WHERE status = 'waiting';

CREATE INDEX ix_waitlist_entry_studio_id_wallet_id ON waitlist_entry (studio_id, wallet_id, created_at);

CREATE TABLE transfer (
    studio_id BIGINT NOT NULL,
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    lot_id UUID NOT NULL,
    from_bucket TEXT NOT NULL,
    to_bucket TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    reason TEXT NOT NULL,
    reference TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_transfer PRIMARY KEY (studio_id, sequence),
    CONSTRAINT uq_transfer_studio_id_key UNIQUE (studio_id, key),
    CONSTRAINT fk_transfer_studio_id_lot_id FOREIGN KEY(studio_id, lot_id) REFERENCES lot (studio_id, id),
    CONSTRAINT ck_transfer_from_bucket CHECK (from_bucket IN ('issued', 'available', 'held', 'spent', 'expired', 'revoked')),
    CONSTRAINT ck_transfer_to_bucket CHECK (to_bucket IN ('issued', 'available', 'held', 'spent', 'expired', 'revoked')),
    CONSTRAINT ck_transfer_quantity CHECK (quantity > 0),
    CONSTRAINT ck_transfer_moves CHECK (from_bucket <> to_bucket)
);

CREATE INDEX ix_transfer_studio_id_lot_id ON transfer (studio_id, lot_id);

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only',
        ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE draw (
    studio_id BIGINT NOT NULL,
    booking_id UUID NOT NULL,
    lot_id UUID NOT NULL,
    quantity BIGINT NOT NULL,
    held BIGINT NOT NULL,
    CONSTRAINT pk_draw PRIMARY KEY (studio_id, booking_id, lot_id),
    CONSTRAINT fk_draw_studio_id_lot_id FOREIGN KEY(studio_id, lot_id) REFERENCES lot (studio_id, id),
    CONSTRAINT ck_draw_quantity CHECK (quantity > 0),
    CONSTRAINT ck_draw_held CHECK (held >= 0 AND held <= quantity)
);

CREATE INDEX ix_draw_studio_id_lot_id_held ON draw (studio_id, lot_id) WHERE held > 0;

CREATE TABLE calendar_event (
    studio_id BIGINT NOT NULL,
    booking_id UUID NOT NULL,
    calendar TEXT NOT NULL,
    generation INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    etag TEXT,
    pushed_hash TEXT,
    pushed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_calendar_event PRIMARY KEY (studio_id, booking_id, calendar),
    CONSTRAINT fk_calendar_event_studio_id_booking_id FOREIGN KEY(studio_id, booking_id) REFERENCES booking (studio_id, id)
);

CREATE INDEX ix_calendar_event_studio_id_calendar_event_id ON calendar_event (studio_id, calendar, event_id);

CREATE TABLE block_move (
    studio_id BIGINT NOT NULL,
    block_id UUID NOT NULL,
    allocation_id UUID NOT NULL,
    from_resource_id BIGINT NOT NULL,
    to_resource_id BIGINT NOT NULL,
    moved_at TIMESTAMP WITH TIME ZONE NOT NULL,
    returned_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_block_move PRIMARY KEY (studio_id, block_id, allocation_id),
    CONSTRAINT fk_block_move_studio_id_block_id FOREIGN KEY(studio_id, block_id) REFERENCES block (studio_id, id),
    CONSTRAINT fk_block_move_studio_id_allocation_id FOREIGN KEY(studio_id, allocation_id) REFERENCES allocation (studio_id, id)
);

CREATE INDEX ix_block_move_studio_id_allocation_id ON block_move (studio_id, allocation_id);

CREATE TABLE waitlist_offer (
    studio_id BIGINT NOT NULL,
    id UUID NOT NULL,
    entry_id UUID NOT NULL,
    hold_id UUID NOT NULL,
    status TEXT NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    checkout_at TIMESTAMP WITH TIME ZONE,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_waitlist_offer PRIMARY KEY (studio_id, id),
    CONSTRAINT uq_waitlist_offer_studio_id_hold_id UNIQUE (studio_id, hold_id),
    CONSTRAINT fk_waitlist_offer_studio_id_entry_id FOREIGN KEY(studio_id, entry_id) REFERENCES waitlist_entry (studio_id, id),
    CONSTRAINT fk_waitlist_offer_studio_id_hold_id FOREIGN KEY(studio_id, hold_id) REFERENCES hold (studio_id, id),
    CONSTRAINT ck_waitlist_offer_status CHECK (status IN ('open', 'accepted', 'declined', 'expired', 'withdrawn')),
    CONSTRAINT ck_waitlist_offer_ends_after_start CHECK (ends_at > starts_at),
    CONSTRAINT ck_waitlist_offer_settled_at CHECK ((status = 'open') = (settled_at IS NULL))
);

CREATE INDEX ix_waitlist_offer_studio_id_entry_id ON waitlist_offer (studio_id, entry_id);

CREATE UNIQUE INDEX uq_waitlist_offer_open ON waitlist_offer (studio_id, entry_id) WHERE status = 'open';

CREATE OR REPLACE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
