-- The log: every event in one global order, and what is kept beside it. Only the appender of the
-- event store writes here; it gives out positions under one lock, so their order is commit order.

-- The table of postgres-es with four columns more. Fixed-width columns stand first: less padding.
CREATE TABLE IF NOT EXISTS events (
    position       bigint           NOT NULL,
    sequence       bigint           NOT NULL,
    recorded_at    timestamptz      NOT NULL,
    event_id       uuid             NOT NULL,
    owner_id       uuid,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    event_type     text             NOT NULL,
    event_version  text             NOT NULL,
    payload        json             NOT NULL,
    metadata       json             NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_position_key UNIQUE (position),
    CONSTRAINT events_sequence_check CHECK (sequence >= 1)
);

COMMENT ON COLUMN events.position IS 'Place in the whole log, in commit order, from 1; gaps are possible.';
COMMENT ON COLUMN events.sequence IS 'Number within the stream, from 1 without gaps.';
COMMENT ON COLUMN events.recorded_at IS 'Never before that of the position before.';
COMMENT ON COLUMN events.owner_id IS 'The user whose data it is; empty for the shared catalogue.';
COMMENT ON COLUMN events.metadata IS 'actor, command_id, correlation_id, causation_id; nothing else personal.';

-- Timeline, as-of and erasure read one owner's events.
CREATE INDEX IF NOT EXISTS events_owner_idx ON events (owner_id, position) WHERE owner_id IS NOT NULL;

CREATE OR REPLACE FUNCTION refuse_to_change_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('figure_ledger.erasure', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'events are never changed or removed: % on the log is refused', TG_OP
            USING ERRCODE = 'restrict_violation',
                  HINT = 'To correct something, record a further event. Only erasing a person removes events.';
    END IF;
    RETURN NULL;
END
$$;

-- Per statement: it costs nothing per row, and it is the only kind that TRUNCATE knows.
CREATE OR REPLACE TRIGGER events_stay
    BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_events();

-- States of long streams, so that loading one is short. Any row may be deleted at any time.
CREATE TABLE IF NOT EXISTS snapshots (
    aggregate_type   text COLLATE "C" NOT NULL,
    aggregate_id     text COLLATE "C" NOT NULL,
    last_sequence    bigint           NOT NULL,
    current_snapshot bigint           NOT NULL DEFAULT 1,
    shape            integer          NOT NULL,
    event_id         uuid             NOT NULL,
    taken_at         timestamptz      NOT NULL DEFAULT now(),
    payload          json             NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (aggregate_type, aggregate_id)
);

COMMENT ON COLUMN snapshots.shape IS 'Version of the state''s shape; a snapshot of another shape is ignored.';
COMMENT ON COLUMN snapshots.event_id IS 'The event at last_sequence; a snapshot whose event the log does not hold is ignored.';
COMMENT ON COLUMN snapshots.current_snapshot IS 'How often one was taken; kept because postgres-es reads it.';

-- What was answered to commands that came with an Idempotency-Key, written in the append's transaction.
CREATE TABLE IF NOT EXISTS command_records (
    actor        uuid        NOT NULL,
    command_id   uuid        NOT NULL,
    position     bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    key          text        NOT NULL,
    command      text        NOT NULL,
    request_hash bytea       NOT NULL,
    answer       json        NOT NULL,
    versions     json        NOT NULL,
    CONSTRAINT command_records_pkey PRIMARY KEY (actor, key)
);

COMMENT ON COLUMN command_records.actor IS 'The user who asked; the nil UUID when the system acted.';
COMMENT ON COLUMN command_records.versions IS '[[aggregate type, aggregate id, version], …] after the command.';

-- Old records are removed by age; rows arrive in that order, so a block range index is enough.
CREATE INDEX IF NOT EXISTS command_records_created_at_idx ON command_records USING brin (created_at);
