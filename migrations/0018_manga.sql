-- Servers where people keep their manga shelves, and who keeps theirs where.

CREATE TABLE IF NOT EXISTS manga_servers (
    id           uuid        PRIMARY KEY,
    base_url     text        NOT NULL,
    name         text        NOT NULL,
    status       text        NOT NULL DEFAULT 'pending',
    note         text,
    submitted_by uuid,
    reviewed_by  uuid,
    reviewed_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT manga_servers_base_url_key UNIQUE (base_url),
    CONSTRAINT manga_servers_base_url_shape CHECK (base_url ~ '^https?://[^/?#@]+$'),
    CONSTRAINT manga_servers_name_length CHECK (char_length(name) BETWEEN 1 AND 260),
    CONSTRAINT manga_servers_status_known CHECK (status IN ('pending', 'approved', 'revoked')),
    -- Servers and people name each other, so that neither can be loaded first: checked at the end of a transaction.
    CONSTRAINT manga_servers_submitted_by_fkey FOREIGN KEY (submitted_by) REFERENCES users (id)
        ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT manga_servers_reviewed_by_fkey FOREIGN KEY (reviewed_by) REFERENCES users (id)
        ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
);

COMMENT ON TABLE manga_servers IS 'MangaCollector servers that people proposed. Only approved ones are asked.';
COMMENT ON COLUMN manga_servers.base_url IS 'An origin: scheme, host and, unless it is the scheme''s own, port; lower case.';
COMMENT ON COLUMN manga_servers.note IS 'Why it was revoked.';

CREATE INDEX IF NOT EXISTS manga_servers_submitted_by_idx ON manga_servers (submitted_by);
CREATE INDEX IF NOT EXISTS manga_servers_reviewed_by_idx ON manga_servers (reviewed_by);
CREATE INDEX IF NOT EXISTS users_manga_link_idx ON users (manga_server_id, manga_slug) WHERE manga_server_id IS NOT NULL;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'users_manga_server_id_fkey') THEN
        ALTER TABLE users
            ADD CONSTRAINT users_manga_server_id_fkey FOREIGN KEY (manga_server_id) REFERENCES manga_servers (id)
                DEFERRABLE INITIALLY DEFERRED,
            ADD CONSTRAINT users_manga_link_whole CHECK ((manga_server_id IS NULL) = (manga_slug IS NULL)),
            ADD CONSTRAINT users_manga_slug_shape CHECK (manga_slug ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$');
    END IF;
END
$$;

COMMENT ON COLUMN users.manga_server_id IS 'Where their manga shelf is shown; asked only while that server is approved.';
COMMENT ON COLUMN users.manga_slug IS 'Under which name it is shown there.';
