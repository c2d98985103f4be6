-- What each person has unlocked, and the counters that lead there.

CREATE TABLE achievements (
    user_id     uuid        NOT NULL,
    code        text        NOT NULL,
    tier        text        NOT NULL,
    unlocked_at timestamptz NOT NULL,
    CONSTRAINT achievements_pkey PRIMARY KEY (user_id, code)
);

-- Private: what was counted. Counters only ever grow; one of a maker or series names it in entity_id.
CREATE TABLE achievement_counters (
    user_id   uuid    NOT NULL,
    counter   text    NOT NULL,
    entity_id uuid,
    value     integer NOT NULL,
    CONSTRAINT achievement_counters_pkey PRIMARY KEY (user_id, counter)
);

CREATE INDEX achievement_counters_entity_id_idx ON achievement_counters (entity_id) WHERE entity_id IS NOT NULL;

-- Private: pieces, and whether they were counted.
CREATE TABLE achievement_pieces (
    piece_id  uuid    NOT NULL,
    user_id   uuid    NOT NULL,
    figure_id uuid    NOT NULL,
    counted   boolean NOT NULL,
    received  boolean NOT NULL,
    slips     integer NOT NULL,
    CONSTRAINT achievement_pieces_pkey PRIMARY KEY (piece_id)
);

COMMENT ON COLUMN achievement_pieces.received IS 'Its pre-order stands at received now.';
COMMENT ON COLUMN achievement_pieces.slips IS 'Slips of all chapters of its pre-order.';

CREATE INDEX achievement_pieces_user_id_idx ON achievement_pieces (user_id);

-- Private: what a figure counts towards, or what it was merged into.
CREATE TABLE achievement_figures (
    figure_id       uuid    NOT NULL,
    manufacturer_id uuid,
    series_ids      jsonb   NOT NULL,
    is_nsfw         boolean NOT NULL,
    merged_into     uuid,
    CONSTRAINT achievement_figures_pkey PRIMARY KEY (figure_id)
);

-- Private: makers and series that were merged into another.
CREATE TABLE achievement_entities (
    entity_id   uuid NOT NULL,
    merged_into uuid NOT NULL,
    CONSTRAINT achievement_entities_pkey PRIMARY KEY (entity_id)
);
