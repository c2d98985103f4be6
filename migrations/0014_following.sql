-- Who follows whom. Nobody whose profile is off, or who is suspended, is shown by it.

CREATE TABLE IF NOT EXISTS following (
    follower_id uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    followed_id uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    followed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT following_pkey PRIMARY KEY (follower_id, followed_id),
    CONSTRAINT following_not_oneself CHECK (follower_id <> followed_id)
);

CREATE INDEX IF NOT EXISTS following_followed_id_idx ON following (followed_id);

-- Those who can be found, by name.
CREATE INDEX IF NOT EXISTS users_public_idx ON users ((lower(username) COLLATE "C"))
    WHERE public_profile AND suspended_at IS NULL;
