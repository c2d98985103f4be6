-- Each person's feed: what they did, with a snapshot of what things were called then.

CREATE TABLE activity_events (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    position   bigint      NOT NULL,
    kind       text        NOT NULL,
    payload    jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT activity_events_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN activity_events.id IS 'The id of the event that is told.';
COMMENT ON COLUMN activity_events.position IS 'The place of that event in the log.';

CREATE INDEX activity_events_user_id_idx ON activity_events (user_id, position);

-- Private: what the last row of a person tells, so that one doing of theirs is one row.
CREATE TABLE activity_latest (
    user_id    uuid NOT NULL,
    command_id uuid NOT NULL,
    event_id   uuid NOT NULL,
    piece_id   uuid,
    CONSTRAINT activity_latest_pkey PRIMARY KEY (user_id)
);

COMMENT ON COLUMN activity_latest.piece_id IS 'The piece that the row is about, when it is about one.';

-- Private: what a piece is a copy of.
CREATE TABLE activity_pieces (
    piece_id  uuid NOT NULL,
    user_id   uuid NOT NULL,
    figure_id uuid NOT NULL,
    CONSTRAINT activity_pieces_pkey PRIMARY KEY (piece_id)
);

CREATE INDEX activity_pieces_user_id_idx ON activity_pieces (user_id);

-- Private: what figures are called.
CREATE TABLE activity_figures (
    figure_id   uuid    NOT NULL,
    name        text    NOT NULL,
    slug        text    NOT NULL,
    is_nsfw     boolean NOT NULL,
    merged_into uuid,
    CONSTRAINT activity_figures_pkey PRIMARY KEY (figure_id)
);
