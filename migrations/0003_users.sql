-- People, their sessions, the instance's settings and the list of figure types.
-- These tables are ordinary rows, not folded from the log. Nothing here refers to a read model.

CREATE TABLE IF NOT EXISTS users (
    id                        uuid        PRIMARY KEY,
    username                  text        NOT NULL,
    email                     text,
    password_hash             text,
    is_admin                  boolean     NOT NULL DEFAULT false,
    nsfw_visibility           text        NOT NULL DEFAULT 'blur',
    preferred_currency        char(3),
    public_profile            boolean     NOT NULL DEFAULT false,
    public_profile_show_nsfw  boolean     NOT NULL DEFAULT false,
    public_profile_show_value boolean     NOT NULL DEFAULT false,
    time_zone                 text        NOT NULL DEFAULT 'UTC',
    manga_server_id           uuid,
    manga_slug                text,
    session_generation        integer     NOT NULL DEFAULT 0,
    suspended_at              timestamptz,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_username_shape CHECK (username ~ '^[A-Za-z0-9_-]{3,30}$'),
    CONSTRAINT users_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_nsfw_visibility_known CHECK (nsfw_visibility IN ('hide', 'blur', 'show')),
    CONSTRAINT users_preferred_currency_shape CHECK (preferred_currency ~ '^[A-Z]{3}$')
);

COMMENT ON COLUMN users.email IS 'Empty for accounts made on the command line without one.';
COMMENT ON COLUMN users.password_hash IS 'PHC string (Argon2id). Empty for accounts that sign in elsewhere only.';
COMMENT ON COLUMN users.preferred_currency IS 'Display currency; empty means amounts are shown as recorded.';
COMMENT ON COLUMN users.session_generation IS 'Raised to end every session of this account; a session carries the one it began with.';

CREATE UNIQUE INDEX IF NOT EXISTS users_username_key ON users (lower(username));
CREATE UNIQUE INDEX IF NOT EXISTS users_email_key ON users (lower(email));
CREATE INDEX IF NOT EXISTS users_created_at_idx ON users (created_at, id);
CREATE INDEX IF NOT EXISTS users_admins_idx ON users (id) WHERE is_admin;

CREATE TABLE IF NOT EXISTS oidc_identities (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider   text        NOT NULL,
    subject    text        NOT NULL,
    email      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oidc_identities_provider_subject_key UNIQUE (provider, subject)
);

CREATE INDEX IF NOT EXISTS oidc_identities_user_id_idx ON oidc_identities (user_id);

-- The shape the session store of tower-sessions reads and writes.
CREATE TABLE IF NOT EXISTS tower_sessions (
    id          text        PRIMARY KEY NOT NULL,
    data        bytea       NOT NULL,
    expiry_date timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS tower_sessions_expiry_date_idx ON tower_sessions (expiry_date);

CREATE TABLE IF NOT EXISTS app_settings (
    key        text        PRIMARY KEY,
    value      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid        REFERENCES users (id) ON DELETE SET NULL
);

CREATE TABLE IF NOT EXISTS figure_types (
    code     text    PRIMARY KEY,
    label    text    NOT NULL,
    position integer NOT NULL,
    CONSTRAINT figure_types_code_shape CHECK (code ~ '^[a-z0-9][a-z0-9_]{0,39}$'),
    CONSTRAINT figure_types_label_length CHECK (char_length(label) BETWEEN 1 AND 80)
);

-- Only an empty list is seeded, so a type an admin took off stays off.
INSERT INTO figure_types (code, label, position)
SELECT seed.code, seed.label, seed.position
FROM (VALUES
    ('scale', 'Scale figure', 0),
    ('nendoroid', 'Nendoroid', 1),
    ('figma', 'figma', 2),
    ('prize', 'Prize figure', 3),
    ('trading', 'Trading figure', 4),
    ('statue', 'Statue', 5),
    ('plamo', 'Plastic model', 6),
    ('bishoujo', 'Bishoujo', 7),
    ('dakimakura', 'Dakimakura', 8),
    ('nendoroid_doll', 'Nendoroid Doll', 9),
    ('other', 'Other', 10)
) AS seed (code, label, position)
WHERE NOT EXISTS (SELECT 1 FROM figure_types);
