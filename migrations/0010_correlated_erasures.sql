-- An erasure remembers the request that asked for it, so that the event which ends the person's streams can name it
-- whoever appends it.

ALTER TABLE erasures ADD COLUMN IF NOT EXISTS correlation_id uuid;

COMMENT ON COLUMN erasures.correlation_id IS 'Of the request; of the process, when it was done on the command line.';
