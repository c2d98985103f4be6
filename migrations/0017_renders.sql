-- What is made of scans: films and models. A queue, and its results.

CREATE TABLE IF NOT EXISTS renders (
    id            uuid        PRIMARY KEY,
    scan_id       uuid        NOT NULL,
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          text        NOT NULL,
    state         text        NOT NULL DEFAULT 'queued',
    progress      integer     NOT NULL DEFAULT 0,
    attempts      integer     NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    lease         uuid,
    leased_until  timestamptz,
    worker        text,
    outcome       text,
    blob_key      text        COLLATE "C",
    media_type    text,
    bytes         bigint,
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    CONSTRAINT renders_kind_known CHECK (kind IN ('turntable', 'gsplat')),
    CONSTRAINT renders_state_known CHECK (state IN ('queued', 'running', 'done', 'dead')),
    CONSTRAINT renders_progress_percent CHECK (progress BETWEEN 0 AND 100),
    CONSTRAINT renders_done_whole CHECK ((state = 'done') = (blob_key IS NOT NULL))
);

COMMENT ON COLUMN renders.state IS 'dead: tried in vain; an admin may have it tried again.';
COMMENT ON COLUMN renders.lease IS 'The try that is under way; over when leased_until has passed, whatever became of its worker.';
COMMENT ON COLUMN renders.outcome IS 'Why the last try came to nothing, in a sentence.';
COMMENT ON COLUMN renders.blob_key IS 'The result; the file is kept as long as this names it.';

CREATE UNIQUE INDEX IF NOT EXISTS renders_under_way_key ON renders (scan_id, kind) WHERE state IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS renders_due_idx ON renders (due_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS renders_scan_id_idx ON renders (scan_id, created_at DESC, id);
CREATE INDEX IF NOT EXISTS renders_user_id_idx ON renders (user_id);
CREATE INDEX IF NOT EXISTS renders_blob_key_idx ON renders (blob_key);
CREATE INDEX IF NOT EXISTS renders_state_idx ON renders (state, created_at DESC, id DESC);
