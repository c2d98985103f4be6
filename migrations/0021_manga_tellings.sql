-- Who is still to be told that the MangaCollector server they linked was reviewed.

CREATE TABLE IF NOT EXISTS manga_tellings (
    server_id   uuid        NOT NULL,
    reviewed_at timestamptz NOT NULL,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    event_type  text        NOT NULL,
    payload     jsonb       NOT NULL,
    CONSTRAINT manga_tellings_pkey PRIMARY KEY (reviewed_at, server_id, user_id)
);

COMMENT ON TABLE manga_tellings IS 'Noted with the review, for everybody who had linked the server then; taken out as they are told.';

CREATE INDEX IF NOT EXISTS manga_tellings_user_id_idx ON manga_tellings (user_id);
