-- The pre-order of each piece: its current chapter, the chapters before it, and every change of date.

CREATE TABLE preorders (
    id                              uuid          NOT NULL,
    user_id                         uuid          NOT NULL,
    owned_item_id                   uuid          NOT NULL,
    figure_id                       uuid          NOT NULL,
    store_id                        uuid,
    status                          text          NOT NULL,
    release_date_original           date,
    release_date_original_precision text,
    release_date_current            date,
    release_date_precision          text,
    offered_release_date            date,
    offered_release_date_precision  text,
    price_amount                    numeric(12,2),
    price_currency                  char(3),
    price_fx_rate                   numeric,
    shipping_amount                 numeric(12,2),
    deposit_amount                  numeric(12,2),
    deposit_refund_amount           numeric(12,2),
    paid_amount                     numeric(12,2),
    balance_paid_at                 timestamptz,
    shipped_at                      timestamptz,
    received_at                     timestamptz,
    cancelled_at                    timestamptz,
    estimated_delivery_days         integer,
    tracking_url                    text,
    slip_count                      integer       NOT NULL,
    created_at                      timestamptz   NOT NULL,
    updated_at                      timestamptz   NOT NULL,
    version                         bigint        NOT NULL,
    CONSTRAINT preorders_pkey PRIMARY KEY (id),
    CONSTRAINT preorders_owned_item_id_key UNIQUE (owned_item_id)
);

COMMENT ON COLUMN preorders.offered_release_date IS 'The catalogue''s new date, while the pre-order still carries the one it replaced.';
COMMENT ON COLUMN preorders.price_fx_rate IS 'EUR for one unit of the currency, frozen when the price was recorded; empty means today''s.';
COMMENT ON COLUMN preorders.deposit_refund_amount IS 'What came back when it was cancelled.';
COMMENT ON COLUMN preorders.paid_amount IS 'What had been paid when it was cancelled; empty before.';
COMMENT ON COLUMN preorders.slip_count IS 'Slips of this chapter.';
COMMENT ON COLUMN preorders.version IS 'Version of the pre-order''s stream when this chapter last changed.';

CREATE INDEX preorders_user_id_idx ON preorders (user_id, created_at, id);
CREATE INDEX preorders_figure_id_idx ON preorders (figure_id);
CREATE INDEX preorders_store_id_idx ON preorders (store_id);

-- Cancelled chapters that a fresh pre-order of the same piece replaced.
CREATE TABLE preorder_chapters (
    id                              uuid          NOT NULL,
    user_id                         uuid          NOT NULL,
    owned_item_id                   uuid          NOT NULL,
    figure_id                       uuid          NOT NULL,
    store_id                        uuid,
    status                          text          NOT NULL,
    release_date_original           date,
    release_date_original_precision text,
    release_date_current            date,
    release_date_precision          text,
    offered_release_date            date,
    offered_release_date_precision  text,
    price_amount                    numeric(12,2),
    price_currency                  char(3),
    price_fx_rate                   numeric,
    shipping_amount                 numeric(12,2),
    deposit_amount                  numeric(12,2),
    deposit_refund_amount           numeric(12,2),
    paid_amount                     numeric(12,2),
    balance_paid_at                 timestamptz,
    shipped_at                      timestamptz,
    received_at                     timestamptz,
    cancelled_at                    timestamptz,
    estimated_delivery_days         integer,
    tracking_url                    text,
    slip_count                      integer       NOT NULL,
    created_at                      timestamptz   NOT NULL,
    updated_at                      timestamptz   NOT NULL,
    version                         bigint        NOT NULL,
    CONSTRAINT preorder_chapters_pkey PRIMARY KEY (id)
);

CREATE INDEX preorder_chapters_owned_item_id_idx ON preorder_chapters (owned_item_id, created_at);
CREATE INDEX preorder_chapters_user_id_idx ON preorder_chapters (user_id);
CREATE INDEX preorder_chapters_figure_id_idx ON preorder_chapters (figure_id);
CREATE INDEX preorder_chapters_store_id_idx ON preorder_chapters (store_id);

CREATE TABLE preorder_date_history (
    id                 uuid        NOT NULL,
    preorder_id        uuid        NOT NULL,
    position           bigint      NOT NULL,
    previous_date      date,
    previous_precision text,
    new_date           date        NOT NULL,
    new_precision      text        NOT NULL,
    source             text        NOT NULL,
    note               text,
    is_slip            boolean     NOT NULL,
    recorded_at        timestamptz NOT NULL,
    CONSTRAINT preorder_date_history_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN preorder_date_history.previous_date IS 'Empty where a date was named for the first time.';
COMMENT ON COLUMN preorder_date_history.is_slip IS 'Later than all of the period announced before.';

CREATE INDEX preorder_date_history_preorder_id_idx ON preorder_date_history (preorder_id, position);

-- The catalogue's first release date of each figure that has one: what an offer is told from.
CREATE TABLE preorder_catalogue_dates (
    figure_id              uuid NOT NULL,
    release_date           date NOT NULL,
    release_date_precision text NOT NULL,
    CONSTRAINT preorder_catalogue_dates_pkey PRIMARY KEY (figure_id)
);
