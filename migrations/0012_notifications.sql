-- Where people are told, by which channel of which event, and how far each telling has come.

CREATE TABLE IF NOT EXISTS notification_channels (
    channel_type text        PRIMARY KEY,
    enabled      boolean     NOT NULL DEFAULT false,
    config       jsonb       NOT NULL DEFAULT '{}',
    secrets      jsonb       NOT NULL DEFAULT '{}',
    updated_at   timestamptz NOT NULL DEFAULT now(),
    updated_by   uuid        REFERENCES users (id) ON DELETE SET NULL
);

COMMENT ON COLUMN notification_channels.enabled IS 'Whether people of this instance can use it. The channel in_app is always on and has no row.';
COMMENT ON COLUMN notification_channels.secrets IS 'What no answer and no log line shows.';

CREATE TABLE IF NOT EXISTS notification_destinations (
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel_type text        NOT NULL,
    config       jsonb       NOT NULL DEFAULT '{}',
    secrets      jsonb       NOT NULL DEFAULT '{}',
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_destinations_pkey PRIMARY KEY (user_id, channel_type)
);

CREATE TABLE IF NOT EXISTS notification_subscriptions (
    user_id      uuid    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel_type text    NOT NULL,
    event_type   text    NOT NULL,
    enabled      boolean NOT NULL,
    CONSTRAINT notification_subscriptions_pkey PRIMARY KEY (user_id, event_type, channel_type)
);

COMMENT ON TABLE notification_subscriptions IS 'Routing. No row: not by this channel.';

CREATE TABLE IF NOT EXISTS notification_settings (
    user_id     uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    quiet_from  time,
    quiet_until time,
    digest_at   time,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_settings_quiet_whole CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);

COMMENT ON TABLE notification_settings IS 'Times of day in the zone of the person.';

CREATE TABLE IF NOT EXISTS web_push_subscriptions (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    endpoint   text        NOT NULL,
    p256dh     text        NOT NULL,
    auth       text        NOT NULL,
    label      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT web_push_subscriptions_endpoint_key UNIQUE (endpoint)
);

COMMENT ON COLUMN web_push_subscriptions.endpoint IS 'Of one browser: whoever subscribes there last has it.';

CREATE INDEX IF NOT EXISTS web_push_subscriptions_user_id_idx ON web_push_subscriptions (user_id, created_at, id);

CREATE TABLE IF NOT EXISTS notification_deliveries (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel_type text        NOT NULL,
    target       text        NOT NULL,
    event_type   text        NOT NULL,
    digest       boolean     NOT NULL,
    state        text        NOT NULL,
    due_at       timestamptz NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    lease        uuid,
    leased_until timestamptz,
    outcome      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT notification_deliveries_state_known
        CHECK (state IN ('collecting', 'pending', 'delivered', 'dead', 'dropped'))
);

COMMENT ON COLUMN notification_deliveries.target IS 'Which of several destinations of a channel: a browser, an Apprise address; else empty.';
COMMENT ON COLUMN notification_deliveries.state IS 'collecting: a digest that is not due yet. dead: tried in vain, an admin may have it tried again. dropped: nobody is there to get it.';
COMMENT ON COLUMN notification_deliveries.lease IS 'The try that is under way; over when leased_until has passed, whatever became of its process.';
COMMENT ON COLUMN notification_deliveries.outcome IS 'What the last try came to, in a sentence.';

CREATE INDEX IF NOT EXISTS notification_deliveries_due_idx ON notification_deliveries (channel_type, due_at, id)
    WHERE state IN ('collecting', 'pending');
CREATE INDEX IF NOT EXISTS notification_deliveries_state_idx ON notification_deliveries (state, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS notification_deliveries_user_id_idx ON notification_deliveries (user_id);
CREATE UNIQUE INDEX IF NOT EXISTS notification_deliveries_collecting_key
    ON notification_deliveries (user_id, channel_type, target) WHERE state = 'collecting';

CREATE TABLE IF NOT EXISTS notification_delivery_items (
    delivery_id     uuid NOT NULL REFERENCES notification_deliveries (id) ON DELETE CASCADE,
    notification_id uuid NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    CONSTRAINT notification_delivery_items_pkey PRIMARY KEY (delivery_id, notification_id)
);

CREATE INDEX IF NOT EXISTS notification_delivery_items_notification_id_idx
    ON notification_delivery_items (notification_id);

CREATE TABLE IF NOT EXISTS notification_delivery_attempts (
    delivery_id uuid        NOT NULL REFERENCES notification_deliveries (id) ON DELETE CASCADE,
    number      integer     NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome     text,
    said        text,
    CONSTRAINT notification_delivery_attempts_pkey PRIMARY KEY (delivery_id, number),
    CONSTRAINT notification_delivery_attempts_outcome_known
        CHECK (outcome IN ('sent', 'failed', 'refused', 'gone', 'unknown'))
);

COMMENT ON COLUMN notification_delivery_attempts.outcome IS 'unknown: the process ended before it could note what became of it.';

ALTER TABLE notifications ADD COLUMN IF NOT EXISTS told_at timestamptz NOT NULL DEFAULT now();

COMMENT ON COLUMN notifications.told_at IS 'When the row was written; created_at is when it came about.';

CREATE INDEX IF NOT EXISTS notifications_user_id_told_at_idx ON notifications (user_id, told_at, id);
