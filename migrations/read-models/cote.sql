-- What each collection is worth: the pieces, what their figures sell for, and by how much the worth of a
-- collection changed on each day. Folded by projections/src/cote. Raise its VERSION when a table changes.

-- As far as worth goes, every piece, those on pre-order and archived ones too. What seldom changes of its figure
-- stands beside it, so that whoever counts a collection reads its pieces and nothing of the catalogue.
CREATE TABLE cote_pieces (
    piece_id           uuid           NOT NULL,
    user_id            uuid           NOT NULL,
    figure_id          uuid           NOT NULL,
    added_on           date           NOT NULL,
    purchase_date      date,
    received_on        date,
    awaited            boolean        NOT NULL,
    archived_on        date,
    is_gift            boolean        NOT NULL,
    value_amount       numeric(12, 2),
    value_currency     char(3),
    price_amount       numeric(12, 2),
    shipping_amount    numeric(12, 2),
    fees_amount        numeric(12, 2),
    price_currency     char(3),
    price_fx_rate      numeric,
    sold_amount        numeric(12, 2),
    sold_currency      char(3),
    sold_on            date,
    figure_type        text,
    manufacturer_id    uuid,
    sculptor_id        uuid,
    series_id          uuid,
    has_several_series boolean        NOT NULL,
    msrp_amount        numeric(12, 2),
    msrp_currency      char(3),
    is_nsfw            boolean,
    CONSTRAINT cote_pieces_pkey PRIMARY KEY (piece_id)
);

COMMENT ON COLUMN cote_pieces.price_currency IS 'Of price, shipping and fees: it may stand with one of them alone.';
COMMENT ON COLUMN cote_pieces.awaited IS 'It has a pre-order that was not received: it does not count yet.';
COMMENT ON COLUMN cote_pieces.archived_on IS 'The UTC day from which on it does not count any more.';
COMMENT ON COLUMN cote_pieces.figure_type IS 'Of its figure, as cote_figures has it; so with all columns after this one.';

CREATE INDEX cote_pieces_user_id_idx ON cote_pieces (user_id);
CREATE INDEX cote_pieces_figure_id_idx ON cote_pieces (figure_id);

-- What a figure sells for: its list price, and the market price that stands. And of what kind it is, for the pieces
-- that come.
CREATE TABLE cote_figures (
    figure_id          uuid           NOT NULL,
    figure_type        text           NOT NULL,
    manufacturer_id    uuid,
    sculptor_id        uuid,
    series_id          uuid,
    has_several_series boolean        NOT NULL,
    msrp_amount        numeric(12, 2),
    msrp_currency      char(3),
    market_amount      numeric(12, 2),
    market_currency    char(3),
    market_at          timestamptz,
    is_nsfw            boolean        NOT NULL,
    CONSTRAINT cote_figures_pkey PRIMARY KEY (figure_id)
);

COMMENT ON COLUMN cote_figures.manufacturer_id IS 'As the figure names it: figure_entity_names.merged_into says which one that is now. So with sculptor_id and series_id.';
COMMENT ON COLUMN cote_figures.series_id IS 'Its only series; none where has_several_series: these are in figure_series.';

-- Private: the market price of a figure at the end of each UTC day on which it moved.
CREATE TABLE cote_points (
    figure_id uuid           NOT NULL,
    day       date           NOT NULL,
    amount    numeric(12, 2) NOT NULL,
    currency  char(3)        NOT NULL,
    seen_at   timestamptz    NOT NULL,
    CONSTRAINT cote_points_pkey PRIMARY KEY (figure_id, day)
);

-- By how much the worth of a collection changed on a day, in each currency. All up to a day add up to its
-- worth at the end of that day.
CREATE TABLE cote_days (
    user_id  uuid    NOT NULL,
    day      date    NOT NULL,
    currency char(3) NOT NULL,
    change   numeric NOT NULL,
    CONSTRAINT cote_days_pkey PRIMARY KEY (user_id, day, currency)
);
