-- The market: the price that stands for each figure, every point at which it moved, and the stock in each store.

CREATE TABLE figure_provider_prices (
    figure_id          uuid          NOT NULL,
    amount             numeric(12,2) NOT NULL,
    currency           char(3)       NOT NULL,
    source             text          NOT NULL,
    matched_version    text,
    fetched_at         timestamptz   NOT NULL,
    provider           text          NOT NULL,
    store_id           uuid          NOT NULL,
    url                text          NOT NULL,
    original_amount    numeric(12,2),
    original_currency  char(3),
    original_rate      numeric,
    original_rate_date date,
    CONSTRAINT figure_provider_prices_pkey PRIMARY KEY (figure_id)
);

COMMENT ON COLUMN figure_provider_prices.source IS 'What the provider calls the store.';
COMMENT ON COLUMN figure_provider_prices.fetched_at IS 'When this price was first seen; price_checks.confirmed_at says when it was last.';
COMMENT ON COLUMN figure_provider_prices.original_amount IS 'What the store asked, where that was converted.';
COMMENT ON COLUMN figure_provider_prices.original_rate IS 'Units of currency for one of original_currency, on original_rate_date.';

CREATE INDEX figure_provider_prices_store_id_idx ON figure_provider_prices (store_id);

CREATE TABLE figure_price_history (
    id                 uuid          NOT NULL,
    figure_id          uuid          NOT NULL,
    amount             numeric(12,2) NOT NULL,
    currency           char(3)       NOT NULL,
    source             text          NOT NULL,
    matched_version    text,
    recorded_at        timestamptz   NOT NULL,
    original_amount    numeric(12,2),
    original_currency  char(3),
    original_rate      numeric,
    original_rate_date date,
    CONSTRAINT figure_price_history_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN figure_price_history.id IS 'That of the event.';
COMMENT ON COLUMN figure_price_history.recorded_at IS 'When the price was first seen.';

CREATE INDEX figure_price_history_figure_id_idx ON figure_price_history (figure_id, recorded_at, id) INCLUDE (amount, currency);

-- What stores last said of their stock. It counts for seven days after stock_checks.confirmed_at, or seen_at.
CREATE TABLE figure_store_stock (
    figure_id uuid        NOT NULL,
    store_id  uuid        NOT NULL,
    stock     text        NOT NULL,
    source    text        NOT NULL,
    url       text        NOT NULL,
    seen_at   timestamptz NOT NULL,
    CONSTRAINT figure_store_stock_pkey PRIMARY KEY (figure_id, store_id)
);

COMMENT ON COLUMN figure_store_stock.stock IS 'in_stock, preorder or out_of_stock.';
COMMENT ON COLUMN figure_store_stock.seen_at IS 'Since when it is so.';

CREATE INDEX figure_store_stock_store_id_idx ON figure_store_stock (store_id);

-- Where merged stores went.
CREATE TABLE price_merged_stores (
    store_id  uuid NOT NULL,
    winner_id uuid NOT NULL,
    CONSTRAINT price_merged_stores_pkey PRIMARY KEY (store_id)
);
CREATE INDEX price_merged_stores_winner_id_idx ON price_merged_stores (winner_id);
