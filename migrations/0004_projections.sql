-- How far each read model is folded, and which events it passes over.

CREATE TABLE IF NOT EXISTS projection_checkpoints (
    projection      text        PRIMARY KEY,
    version         integer     NOT NULL,
    position        bigint      NOT NULL DEFAULT 0,
    state           text        NOT NULL DEFAULT 'running',
    error           text,
    failed_position bigint,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT projection_checkpoints_state_known CHECK (state IN ('running', 'paused', 'stopped'))
) WITH (fillfactor = 50);

COMMENT ON COLUMN projection_checkpoints.version IS 'Version of the fold that made the tables. A process folds only what has its own.';
COMMENT ON COLUMN projection_checkpoints.position IS 'The last event of the log that is in the tables; moved in the transaction that writes them.';
COMMENT ON COLUMN projection_checkpoints.error IS 'Why it stopped.';
COMMENT ON COLUMN projection_checkpoints.failed_position IS 'The event it stopped at.';

CREATE TABLE IF NOT EXISTS projection_skips (
    projection text        NOT NULL,
    position   bigint      NOT NULL,
    reason     text        NOT NULL,
    skipped_by text        NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT projection_skips_pkey PRIMARY KEY (projection, position)
);

COMMENT ON TABLE projection_skips IS 'Events that a projection passes over, also when it is rebuilt or verified. Never deleted.';
