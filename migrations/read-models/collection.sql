-- What people own, where it stands, and what they wish for.
-- Folded from the log by projections/src/collection. Raise its VERSION when a table changes.

CREATE TABLE owned_items (
    id               uuid           PRIMARY KEY,
    user_id          uuid           NOT NULL,
    figure_id        uuid           NOT NULL,
    condition        text,
    price_amount     numeric(12, 2),
    price_currency   char(3),
    shipping_amount  numeric(12, 2),
    fees_amount      numeric(12, 2),
    price_fx_rate    numeric,
    value_amount     numeric(12, 2),
    value_currency   char(3),
    purchase_date    date,
    store_id         uuid,
    location         text,
    location_key     text,
    notes            text,
    origin           text           NOT NULL,
    origin_from      text,
    cover_photo_id   uuid,
    cover_scan_id    uuid,
    sort_order       integer        NOT NULL,
    archived_at      timestamptz,
    archive_reason   text,
    sold_amount      numeric(12, 2),
    sold_currency    char(3),
    sold_on          date,
    received_at      timestamptz,
    preorder_status  text,
    preorder_version bigint         NOT NULL,
    source           text,
    version          bigint         NOT NULL,
    created_at       timestamptz    NOT NULL,
    updated_at       timestamptz    NOT NULL
);

COMMENT ON TABLE owned_items IS 'The pieces of every collection, archived ones and those still on pre-order too.';
COMMENT ON COLUMN owned_items.figure_id IS 'The figure as it is now: follows merges.';
COMMENT ON COLUMN owned_items.shipping_amount IS 'In price_currency, as fees_amount is.';
COMMENT ON COLUMN owned_items.price_fx_rate IS 'EUR for one unit of price_currency, frozen; empty means today''s.';
COMMENT ON COLUMN owned_items.location_key IS 'location with case, width and spacing folded: equal keys are one cabinet.';
COMMENT ON COLUMN owned_items.preorder_status IS 'Of the piece''s pre-order, empty for a piece that never had one. A piece counts as owned when this is empty or received, and archived_at is empty.';
COMMENT ON COLUMN owned_items.preorder_version IS 'The pre-order stream''s version when its chapter last changed, 0 without one.';
COMMENT ON COLUMN owned_items.source IS 'The row of an import that it came from.';
COMMENT ON COLUMN owned_items.version IS 'The collection stream''s version when the piece last changed.';
COMMENT ON COLUMN owned_items.created_at IS 'When it was added.';

CREATE INDEX owned_items_user_id_idx ON owned_items (user_id, created_at, id);
CREATE INDEX owned_items_figure_id_idx ON owned_items (figure_id);
CREATE INDEX owned_items_store_id_idx ON owned_items (store_id) WHERE store_id IS NOT NULL;

CREATE TABLE cabinets (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    name       text        NOT NULL,
    name_key   text        NOT NULL,
    sort_order integer     NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

COMMENT ON TABLE cabinets IS 'Registered locations. A location that is only typed on pieces has no row here.';
COMMENT ON COLUMN cabinets.name_key IS 'name with case, width and spacing folded, as in owned_items.location_key.';

CREATE INDEX cabinets_user_id_idx ON cabinets (user_id);

CREATE TABLE wishlist_items (
    user_id            uuid           NOT NULL,
    wished_as          uuid           NOT NULL,
    id                 uuid           NOT NULL,
    figure_id          uuid           NOT NULL,
    max_price_amount   numeric(12, 2),
    max_price_currency char(3),
    note               text,
    version            bigint         NOT NULL,
    created_at         timestamptz    NOT NULL,
    updated_at         timestamptz    NOT NULL,
    CONSTRAINT wishlist_items_pkey PRIMARY KEY (user_id, wished_as)
);

COMMENT ON TABLE wishlist_items IS 'Wishes: at most one per person and figure, and never beside an unarchived piece of it.';
COMMENT ON COLUMN wishlist_items.id IS 'The id of the event that made the wish.';
COMMENT ON COLUMN wishlist_items.figure_id IS 'The figure as it is now: follows merges.';
COMMENT ON COLUMN wishlist_items.wished_as IS 'The figure as the collection''s stream names it: before any merge.';
COMMENT ON COLUMN wishlist_items.version IS 'The collection stream''s version when the wish last changed.';

CREATE INDEX wishlist_items_figure_id_idx ON wishlist_items (figure_id);

-- Private: wishes whose figure came to be owned by a merge. The stream still holds them, so they come back
-- when the last piece goes.
CREATE TABLE wishes_while_owned (
    user_id            uuid           NOT NULL,
    wished_as          uuid           NOT NULL,
    id                 uuid           NOT NULL,
    figure_id          uuid           NOT NULL,
    max_price_amount   numeric(12, 2),
    max_price_currency char(3),
    note               text,
    version            bigint         NOT NULL,
    created_at         timestamptz    NOT NULL,
    updated_at         timestamptz    NOT NULL,
    CONSTRAINT wishes_while_owned_pkey PRIMARY KEY (user_id, wished_as)
);

CREATE INDEX wishes_while_owned_figure_id_idx ON wishes_while_owned (figure_id);

-- Private: where merged stores went. Pieces go on naming the store that they were bought at.
CREATE TABLE owned_items_merged_stores (
    store_id  uuid PRIMARY KEY,
    winner_id uuid NOT NULL
);

CREATE INDEX owned_items_merged_stores_winner_id_idx ON owned_items_merged_stores (winner_id);
