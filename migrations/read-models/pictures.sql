-- Photos, scans and documents.
-- Folded from the log by projections/src/pictures. Raise its VERSION when a table changes.

-- The catalogue's photos. At most one of a figure is primary.
CREATE TABLE figure_photos (
    id          uuid        CONSTRAINT figure_photos_pkey PRIMARY KEY,
    figure_id   uuid        NOT NULL,
    storage_key text        NOT NULL,
    picture     jsonb       NOT NULL,
    blob_keys   text[]      NOT NULL,
    is_primary  boolean     NOT NULL,
    position    integer     NOT NULL,
    added_by    uuid,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX figure_photos_figure_id_idx ON figure_photos (figure_id);
CREATE INDEX figure_photos_blob_keys_idx ON figure_photos USING gin (blob_keys);

COMMENT ON COLUMN figure_photos.storage_key IS 'The picture at its full size: the SHA-256 of its bytes.';
COMMENT ON COLUMN figure_photos.picture IS 'All that the event says of the picture.';
COMMENT ON COLUMN figure_photos.blob_keys IS 'Every stored file that the row names.';
COMMENT ON COLUMN figure_photos.position IS 'Ascending, with gaps.';

CREATE TABLE photos (
    id            uuid        PRIMARY KEY,
    owned_item_id uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    storage_key   text        NOT NULL,
    picture       jsonb       NOT NULL,
    blob_keys     text[]      NOT NULL,
    position      integer     NOT NULL,
    shared        boolean     NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);

COMMENT ON TABLE photos IS 'Personal photos: their owner''s alone, but for those that are shared.';
COMMENT ON COLUMN photos.storage_key IS 'The picture at its full size: the SHA-256 of its bytes.';
COMMENT ON COLUMN photos.picture IS 'All that the event says of the picture.';
COMMENT ON COLUMN photos.blob_keys IS 'Every stored file that the row names.';
COMMENT ON COLUMN photos.position IS 'Ascending in the owner''s order, with gaps.';

CREATE INDEX photos_owned_item_id_idx ON photos (owned_item_id);
CREATE INDEX photos_user_id_idx ON photos (user_id);
CREATE INDEX photos_blob_keys_idx ON photos USING gin (blob_keys);

CREATE TABLE scans (
    id            uuid        PRIMARY KEY,
    owned_item_id uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    storage_keys  text[]      NOT NULL,
    frames        jsonb       NOT NULL,
    blob_keys     text[]      NOT NULL,
    shared        boolean     NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);

COMMENT ON TABLE scans IS 'Turntable scans.';
COMMENT ON COLUMN scans.storage_keys IS 'The frames at their full size, in their order.';
COMMENT ON COLUMN scans.frames IS 'All that the event says of the frames, in their order.';
COMMENT ON COLUMN scans.blob_keys IS 'Every stored file that the row names.';

CREATE INDEX scans_owned_item_id_idx ON scans (owned_item_id);
CREATE INDEX scans_user_id_idx ON scans (user_id);
CREATE INDEX scans_blob_keys_idx ON scans USING gin (blob_keys);

CREATE TABLE documents (
    id            uuid        PRIMARY KEY,
    owned_item_id uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    storage_key   text        NOT NULL,
    media_type    text        NOT NULL,
    bytes         integer     NOT NULL,
    name          text        NOT NULL,
    position      integer     NOT NULL,
    created_at    timestamptz NOT NULL
);

COMMENT ON TABLE documents IS 'Receipts and the like, stored as they came. For their owner only.';
COMMENT ON COLUMN documents.position IS 'Ascending in the order in which they came, with gaps.';

CREATE INDEX documents_owned_item_id_idx ON documents (owned_item_id);
CREATE INDEX documents_user_id_idx ON documents (user_id);
CREATE INDEX documents_storage_key_idx ON documents (storage_key);
