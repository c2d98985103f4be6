-- Files that lie outside of the database: who may not delete them, and which are about to go.

CREATE TABLE IF NOT EXISTS blobs (
    key           text        COLLATE "C" PRIMARY KEY,
    media_type    text        NOT NULL,
    bytes         bigint      NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    stored_at     timestamptz,
    leased_until  timestamptz NOT NULL,
    unnamed_since timestamptz,
    condemned_at  timestamptz,
    CONSTRAINT blobs_key_is_digest CHECK (key ~ '^[0-9a-f]{64}$')
);

COMMENT ON COLUMN blobs.key IS 'The SHA-256 of the content; the file lies at blobs/<first two digits>/<key>.';
COMMENT ON COLUMN blobs.stored_at IS 'When it was stored. Empty: its upload is under way or was cut off.';
COMMENT ON COLUMN blobs.leased_until IS 'Until then nobody deletes it: an upload is about to name it.';
COMMENT ON COLUMN blobs.unnamed_since IS 'When scan_cleanup first found nothing that names it.';
COMMENT ON COLUMN blobs.condemned_at IS 'Nobody leases it for two minutes: it is being deleted.';

CREATE INDEX IF NOT EXISTS blobs_unnamed_since_idx ON blobs (unnamed_since) WHERE unnamed_since IS NOT NULL;
