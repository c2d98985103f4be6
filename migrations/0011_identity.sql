-- Who is signed in where, keys for scripts, and how people come back in without their password.

CREATE TABLE IF NOT EXISTS user_sessions (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    signed_in_by text        NOT NULL,
    user_agent   text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    seen_at      timestamptz NOT NULL DEFAULT now(),
    idle_until   timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    CONSTRAINT user_sessions_user_agent_length CHECK (char_length(user_agent) <= 300)
);

COMMENT ON TABLE user_sessions IS 'One row for each session somebody has. What the cookie holds stands in tower_sessions and refers to it; deleting the row ends the session.';
COMMENT ON COLUMN user_sessions.id IS 'What a session is called when it is shown. Knowing it opens nothing.';
COMMENT ON COLUMN user_sessions.idle_until IS 'Over then unless it is used before.';
COMMENT ON COLUMN user_sessions.ends_at IS 'Over then, however much it is used.';

CREATE INDEX IF NOT EXISTS user_sessions_user_id_idx ON user_sessions (user_id, created_at);

CREATE TABLE IF NOT EXISTS api_keys (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text        NOT NULL,
    hint         text        NOT NULL,
    secret_hash  bytea       NOT NULL,
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_secret_hash_key UNIQUE (secret_hash),
    CONSTRAINT api_keys_secret_hash_length CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_scopes_some CHECK (cardinality(scopes) > 0)
);

COMMENT ON COLUMN api_keys.hint IS 'How the key begins, to tell one from another.';
COMMENT ON COLUMN api_keys.secret_hash IS 'SHA-256 of the whole key. It holds 256 random bits, so no slower hash is needed.';
COMMENT ON COLUMN api_keys.last_used_at IS 'Written at most once a minute.';

CREATE INDEX IF NOT EXISTS api_keys_user_id_idx ON api_keys (user_id, created_at);

CREATE TABLE IF NOT EXISTS password_resets (
    user_id    uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    token_hash bytea       NOT NULL,
    asked_by   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT password_resets_token_hash_key UNIQUE (token_hash),
    CONSTRAINT password_resets_asked_by_known CHECK (asked_by IN ('person', 'admin'))
);

COMMENT ON TABLE password_resets IS 'Tokens that set a new password, once. A newer one takes the place of the one before.';

-- A subject means somebody at one issuer only: pointing a provider elsewhere must not give accounts away.
ALTER TABLE oidc_identities ADD COLUMN IF NOT EXISTS issuer text NOT NULL DEFAULT '';
ALTER TABLE oidc_identities ADD COLUMN IF NOT EXISTS last_used_at timestamptz;
ALTER TABLE oidc_identities DROP CONSTRAINT IF EXISTS oidc_identities_provider_subject_key;
CREATE UNIQUE INDEX IF NOT EXISTS oidc_identities_subject_key ON oidc_identities (provider, issuer, subject);
CREATE UNIQUE INDEX IF NOT EXISTS oidc_identities_user_provider_key ON oidc_identities (user_id, provider);
DROP INDEX IF EXISTS oidc_identities_user_id_idx;

COMMENT ON COLUMN oidc_identities.email IS 'As the provider last told it. For showing; it opens nothing.';

CREATE TABLE IF NOT EXISTS oidc_flows (
    state_hash   bytea       PRIMARY KEY,
    browser_hash bytea       NOT NULL,
    provider     text        NOT NULL,
    nonce        text        NOT NULL,
    verifier     text        NOT NULL,
    return_to    text        NOT NULL,
    link_user_id uuid        REFERENCES users (id) ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL
);

COMMENT ON TABLE oidc_flows IS 'Sign-ins at a provider that have begun. Each is taken once, by the browser that began it.';
COMMENT ON COLUMN oidc_flows.link_user_id IS 'Whose account the identity is to be linked to; empty for signing in.';

CREATE INDEX IF NOT EXISTS oidc_flows_expires_at_idx ON oidc_flows (expires_at);
