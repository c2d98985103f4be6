-- The latest rebuild of each read model, whichever process is at it: how far it is, and where it is called off.

CREATE TABLE IF NOT EXISTS projection_rebuilds (
    projection        text        PRIMARY KEY,
    rebuild_id        uuid        NOT NULL,
    version           integer     NOT NULL,
    asked_by          text        NOT NULL,
    backend           integer     NOT NULL,
    state             text        NOT NULL DEFAULT 'running',
    stage             text        NOT NULL DEFAULT 'reading',
    started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at       timestamptz,
    events            bigint      NOT NULL DEFAULT 0,
    position          bigint      NOT NULL DEFAULT 0,
    head              bigint      NOT NULL DEFAULT 0,
    events_per_second bigint      NOT NULL DEFAULT 0,
    error             text,
    cancelled_by      text,
    CONSTRAINT projection_rebuilds_state_known
        CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'interrupted'))
);

COMMENT ON COLUMN projection_rebuilds.rebuild_id IS 'The same for those that share one reading of the log.';
COMMENT ON COLUMN projection_rebuilds.version IS 'Version of the fold that makes the tables.';
COMMENT ON COLUMN projection_rebuilds.backend IS 'The PostgreSQL process that holds its lock. A running one whose lock nobody holds was cut off.';
COMMENT ON COLUMN projection_rebuilds.state IS 'Whoever sets it to cancelled has called it off: only a running one is swapped, in one transaction with done.';
COMMENT ON COLUMN projection_rebuilds.updated_at IS 'When its process last told how far it is.';
