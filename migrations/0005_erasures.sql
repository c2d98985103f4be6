-- How far the erasing of people is. A row says nothing but an id that means nobody any more; it stays, so that
-- erasing can be done again on a database that was restored from a backup made before.

CREATE TABLE IF NOT EXISTS erasures (
    user_id      uuid        PRIMARY KEY,
    requested_by uuid,
    requested_at timestamptz NOT NULL DEFAULT now(),
    ended_at     bigint,
    blank_from   bigint,
    finished_at  timestamptz
);

COMMENT ON COLUMN erasures.requested_by IS 'The person themselves; empty when it was done on the command line.';
COMMENT ON COLUMN erasures.ended_at IS 'The position of collection.person_erased; empty until it is on record.';
COMMENT ON COLUMN erasures.blank_from IS 'The person''s events from this position on are blank.';
COMMENT ON COLUMN erasures.finished_at IS 'When nothing of them was left. Empty: it is continued by whichever server runs.';

CREATE INDEX IF NOT EXISTS erasures_unfinished_idx ON erasures (requested_at) WHERE finished_at IS NULL;
