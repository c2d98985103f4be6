-- How far the policies have reacted, what they set aside, and what people are told.

CREATE TABLE IF NOT EXISTS policy_checkpoints (
    name       text        PRIMARY KEY,
    position   bigint      NOT NULL,
    begun_at   bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN policy_checkpoints.position IS 'Every event up to here was reacted to, or is set aside in policy_parked.';
COMMENT ON COLUMN policy_checkpoints.begun_at IS 'Where it began: nothing before was ever reacted to.';

CREATE TABLE IF NOT EXISTS policy_parked (
    policy         text        NOT NULL,
    position       bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    event_type     text        NOT NULL,
    reason         text        NOT NULL,
    attempts       integer     NOT NULL,
    next_try_at    timestamptz NOT NULL,
    parked_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT policy_parked_pkey PRIMARY KEY (policy, position)
);

COMMENT ON TABLE policy_parked IS 'Events that a policy could not react to, and later ones of the same streams behind them.';

CREATE INDEX IF NOT EXISTS policy_parked_stream_idx ON policy_parked (policy, aggregate_type, aggregate_id, position);

CREATE TABLE IF NOT EXISTS notifications (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    event_type text        NOT NULL,
    payload    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    read_at    timestamptz
);

COMMENT ON COLUMN notifications.id IS 'Derived from the policy and the event, so that nothing is told twice.';

CREATE INDEX IF NOT EXISTS notifications_user_id_created_at_idx ON notifications (user_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS notifications_unread_idx ON notifications (user_id) WHERE read_at IS NULL;

CREATE TABLE IF NOT EXISTS notification_dedup (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    dedup_key  text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_dedup_pkey PRIMARY KEY (user_id, dedup_key)
);

COMMENT ON COLUMN notification_dedup.dedup_key IS 'Begins with the event: wishlist_back_in_stock:<figure>:<store>:<day>.';

CREATE TABLE IF NOT EXISTS wish_alerts (
    user_id         uuid           NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    figure_id       uuid           NOT NULL,
    target_amount   numeric(12, 2) NOT NULL,
    target_currency char(3)        NOT NULL,
    armed           boolean        NOT NULL,
    judged_at       timestamptz    NOT NULL,
    CONSTRAINT wish_alerts_pkey PRIMARY KEY (user_id, figure_id)
);

COMMENT ON TABLE wish_alerts IS 'How each wish with a target stood at the last price point of its figure.';
COMMENT ON COLUMN wish_alerts.armed IS 'The price was above the target then, so the next one at or below it is told.';

CREATE INDEX IF NOT EXISTS wish_alerts_figure_id_idx ON wish_alerts (figure_id);
