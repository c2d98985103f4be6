-- What people show to whoever has an address, and who reserved which present.

CREATE TABLE IF NOT EXISTS share_links (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       text        NOT NULL,
    subject_id uuid        NOT NULL,
    token_hash bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT share_links_subject_key UNIQUE (user_id, kind, subject_id),
    CONSTRAINT share_links_token_hash_key UNIQUE (token_hash),
    CONSTRAINT share_links_token_hash_length CHECK (octet_length(token_hash) = 32),
    CONSTRAINT share_links_kind_known CHECK (kind IN ('wishlist', 'cabinet', 'calendar'))
);

COMMENT ON TABLE share_links IS 'Addresses that open something of somebody to whoever has them. No row, no link: it ends when its row goes.';
COMMENT ON COLUMN share_links.subject_id IS 'The cabinet; for what there is one of for each person, the person.';
COMMENT ON COLUMN share_links.token_hash IS 'SHA-256 of the token. It holds 256 random bits, so no slower hash is needed. A newer token takes its place.';
COMMENT ON COLUMN share_links.created_at IS 'When the token in force was made.';

CREATE TABLE IF NOT EXISTS gift_reservations (
    wish_id     uuid        PRIMARY KEY,
    link_id     uuid        NOT NULL REFERENCES share_links (id) ON DELETE CASCADE,
    name        text        NOT NULL,
    secret_hash bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gift_reservations_name_length CHECK (char_length(name) BETWEEN 1 AND 80),
    CONSTRAINT gift_reservations_secret_hash_length CHECK (octet_length(secret_hash) = 32)
);

COMMENT ON TABLE gift_reservations IS 'Wishes that somebody means to fulfil. Never events: whoever wished may read the log.';
COMMENT ON COLUMN gift_reservations.wish_id IS 'wishlist_items.id: a wish that is taken off and made anew is another one.';
COMMENT ON COLUMN gift_reservations.link_id IS 'The list that it was made on. Stopping to share the list wipes it.';
COMMENT ON COLUMN gift_reservations.name IS 'What whoever reserved wants to be called on the list.';
COMMENT ON COLUMN gift_reservations.secret_hash IS 'SHA-256 of what releases it.';

CREATE INDEX IF NOT EXISTS gift_reservations_link_id_idx ON gift_reservations (link_id);
