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
